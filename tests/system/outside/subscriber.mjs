// A partner's program: prints what an exchange publishes, one CloudEvent (JSON) a line. It knows AMQP and CloudEvents, nothing else of us.
//
//   node subscriber.mjs URI EXCHANGE ROUTING_KEY [QUEUE]
//
// Prints "ready" once the binding stands: every event published after that is printed at least once. Without QUEUE the queue is the connection's own and
// goes with it, and a lost connection ends the program (exit 1). With QUEUE it is durable, waits for us while we are away, and the program comes back to
// it after any loss. An event is acknowledged after its line is written, so a line may come twice and never not at all. Ends on SIGTERM or SIGINT, exit 0.
import amqp from 'amqplib';

const [uri, exchange, routingKey, queueName] = process.argv.slice(2);
if (!routingKey) {
  console.error('usage: subscriber.mjs URI EXCHANGE ROUTING_KEY [QUEUE]');
  process.exit(2);
}

let connection;
let ending = false;
let announced = false;

async function subscribe() {
  connection = await amqp.connect(uri, { heartbeat: 10 });
  connection.on('error', () => {});
  const lost = new Promise(resolve => connection.once('close', resolve));
  const channel = await connection.createChannel();
  channel.on('error', error => console.error(error.message));
  const { queue } = queueName
    ? await channel.assertQueue(queueName, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    : await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, exchange, routingKey);
  await channel.prefetch(200);
  await channel.consume(queue, message => {
    if (message === null) {
      connection.close().catch(() => {});
      return;
    }
    const event = JSON.parse(message.content.toString('utf8'));
    process.stdout.write(`${JSON.stringify(event)}\n`, () => channel.ack(message));
  });
  if (!announced)
    process.stdout.write('ready\n');
  announced = true;
  await lost;
}

for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, async () => {
    ending = true;
    await connection?.close().catch(() => {});
    process.exit(0);
  });

while (!ending) {
  try {
    await subscribe();
  } catch (error) {
    if (!ending)
      console.error(error.message);
  }
  if (ending)
    break;
  if (!queueName || !announced)
    process.exit(1);
  await new Promise(resolve => setTimeout(resolve, 500));
}
