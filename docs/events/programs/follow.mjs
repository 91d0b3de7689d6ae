// Reads a partner's queue: each event once, one line of JSON each.
//
//   npm ci && node follow.mjs amqps://USER:PASSWORD@HOST/VHOST QUEUE
//
// Comes back after a lost connection. Ends on SIGTERM or SIGINT.
import amqp from 'amqplib';

const [uri, queue] = process.argv.slice(2);
if (!queue) {
  console.error('usage: follow.mjs URI QUEUE');
  process.exit(2);
}

// What was done already. A real program keeps this with its data, in the same transaction as the effect.
const versions = new Map();

function take(event) {
  const known = versions.get(event.subject) ?? 0;
  if (event.aggregateversion <= known)
    return;
  console.log(JSON.stringify(event));
  versions.set(event.subject, event.aggregateversion);
}

async function follow() {
  const connection = await amqp.connect(uri, { heartbeat: 10 });
  connection.on('error', () => {});
  const closed = new Promise(resolve => connection.once('close', resolve));
  const channel = await connection.createChannel();
  channel.on('error', error => console.error(error.message));
  await channel.prefetch(200);
  await channel.consume(queue, message => {
    // The queue was deleted.
    if (message === null)
      return connection.close().catch(() => {});
    try {
      take(JSON.parse(message.content.toString('utf8')));
      channel.ack(message);
    } catch (error) {
      // Not ours to repair: the operator finds it among the dead letters.
      console.error(error.message);
      channel.nack(message, false, false);
    }
  });
  await closed;
}

for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, () => process.exit(0));

for (;;) {
  await follow().catch(error => console.error(error.message));
  await new Promise(resolve => setTimeout(resolve, 1000));
}
