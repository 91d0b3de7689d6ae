// Follows the log of a service's events from a position on: one line "POSITION EVENT" each, in the order of their positions.
//
//   ./dev protos && npm ci && IMET_TOKEN=... node catch-up.mjs HOST:PORT POSITION [PROTOS]
//
// Comes back after the end of a stream, which is normal. PROTOS is the unpacked imet-protos.tar.gz. Ends on SIGTERM or SIGINT.
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [address, from, protos = fileURLToPath(new URL('../../../artifacts/contracts/imet-protos', import.meta.url))] = process.argv.slice(2);
if (!from) {
  console.error('usage: catch-up.mjs HOST:PORT POSITION [PROTOS]');
  process.exit(2);
}

const contracts = grpc.loadPackageDefinition(loader.loadSync('imet/events/v1/event_service.proto', { includeDirs: [protos], longs: String, keepCase: true }));
const client = new contracts.imet.events.v1.EventService(address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
metadata.set('authorization', `Bearer ${process.env.IMET_TOKEN}`);

let position = from;
let epoch = '';

function follow() {
  return new Promise((resolve, reject) => {
    const stream = client.WatchEvents({ after_position: position, epoch }, metadata);
    stream.on('data', more => {
      for (const event of more.events ?? [])
        console.log(`${event.position} ${event.cloud_event}`);
      // A real program keeps these two with its data, in the same transaction as the effects.
      ({ position, epoch } = more);
    });
    stream.on('error', error => error.code === grpc.status.UNAVAILABLE || error.code === grpc.status.RESOURCE_EXHAUSTED ? resolve() : reject(error));
    stream.on('end', resolve);
  });
}

for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, () => process.exit(0));

for (;;) {
  await follow();
  await new Promise(resolve => setTimeout(resolve, 250));
}
