// node check.mjs FOLDER: is FOLDER/asyncapi.yaml a valid AsyncAPI document, and is each of FOLDER/examples an event by the schemas that it names?
// Prints what is wrong, a line each; exit 1 when anything is.
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Parser } from '@asyncapi/parser';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';

const folder = path.resolve(process.argv[2]);
const wrong = [];

const file = path.join(folder, 'asyncapi.yaml');
const { document, diagnostics } = await new Parser().parse(await readFile(file, 'utf8'), { source: file });
for (const problem of diagnostics.filter(found => found.severity === 0))
  wrong.push(`asyncapi.yaml ${problem.path.join('/')}: ${problem.message}`);
if (document && document.allOperations().length === 0)
  wrong.push('asyncapi.yaml has no operations');

const ajv = new Ajv({ strict: true, allErrors: true });
formats.default(ajv);
ajv.addVocabulary(['x-values']);
for (const name of await readdir(path.join(folder, 'schemas')))
  ajv.addSchema(JSON.parse(await readFile(path.join(folder, 'schemas', name), 'utf8')));
for (const name of await readdir(path.join(folder, 'examples')).catch(() => [])) {
  const event = JSON.parse(await readFile(path.join(folder, 'examples', name), 'utf8'));
  for (const [schema, value] of [['urn:imet:event', event], [event.dataschema, event.data]])
    if (!ajv.validate(schema, value))
      wrong.push(`examples/${name} by ${schema}: ${ajv.errorsText()}`);
}

console.log(wrong.join('\n'));
process.exit(wrong.length > 0 ? 1 : 0);
