// A client in another language: asks whether a country may train. It holds nothing of ours but the contracts (`./dev protos` bundles them).
//
//   IMET_TOKEN=$(./dev token --scopes eligibility.read) node client.mjs ADDRESS COUNTRY PROGRAM START_DATE [CONTRACTS]
//   IMET_TOKEN=... node client.mjs 127.0.0.1:5101 PAK IMET 2031-06-01
//
// Prints the verdict as JSON. Exit 0 answered, 1 refused (the reason and every field that is wrong on stderr), 2 used wrongly.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const bundle = fileURLToPath(new URL('../../../artifacts/contracts/imet-protos', import.meta.url));
const [address, country, program, startDate, contracts = bundle] = process.argv.slice(2);
if (!startDate || !process.env.IMET_TOKEN) {
  console.error('usage: IMET_TOKEN=... client.mjs ADDRESS COUNTRY PROGRAM START_DATE [CONTRACTS]');
  process.exit(2);
}

const definitions = loadSync(
  ['imet/countryeligibility/v1/country_eligibility_service.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
  { includeDirs: [contracts], longs: String, enums: String, defaults: true });
const { CountryEligibilityService } = grpc.loadPackageDefinition(definitions).imet.countryeligibility.v1;

const retries = `${contracts}/service-config.json`;
const client = new CountryEligibilityService(address, grpc.credentials.createInsecure(),
  existsSync(retries) ? { 'grpc.service_config': readFileSync(retries, 'utf8') } : {});

const metadata = new grpc.Metadata();
metadata.set('authorization', `Bearer ${process.env.IMET_TOKEN}`);
const [year, month, day] = startDate.split('-').map(Number);
const request = { question: { country, fundingProgram: program, stage: 'STAGE_NEW', startDate: { year, month, day } } };

client.evaluateEligibility(request, metadata, { deadline: Date.now() + 5000 }, (error, response) => {
  if (error) {
    console.error(`${grpc.status[error.code]}: ${error.details}`);
    for (const detail of detailsOf(error))
      console.error(JSON.stringify(detail));
  } else {
    console.log(JSON.stringify(response.verdict, null, 2));
  }
  client.close();
  process.exitCode = error ? 1 : 0;
});

/** A refusal's details (google.rpc.ErrorInfo with the reason, BadRequest with the fields) travel as bytes of a google.rpc.Status. */
function detailsOf(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!bytes)
    return [];
  return definitions['google.rpc.Status'].deserialize(bytes).details.map(any => {
    const type = any.type_url.split('/').pop();
    return { type, ...definitions[type]?.deserialize(any.value) };
  });
}
