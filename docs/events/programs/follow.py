"""Reads a partner's queue: each event once, one line of JSON each.

    apt-get install python3-pika    (or pip install pika)
    python3 follow.py amqps://USER:PASSWORD@HOST/VHOST QUEUE

Comes back after a lost connection. Ends on SIGTERM or SIGINT.
"""
import json
import signal
import sys
import time

import pika

if len(sys.argv) != 3:
    sys.exit("usage: follow.py URI QUEUE")
uri, queue = sys.argv[1:]

# What was done already. A real program keeps this with its data, in the same transaction as the effect.
versions = {}


def take(event):
    if event["aggregateversion"] <= versions.get(event["subject"], 0):
        return
    print(json.dumps(event), flush=True)
    versions[event["subject"]] = event["aggregateversion"]


def received(channel, method, properties, body):
    try:
        take(json.loads(body))
        channel.basic_ack(method.delivery_tag)
    except (ValueError, KeyError) as error:
        # Not ours to repair: the operator finds it among the dead letters.
        print(error, file=sys.stderr)
        channel.basic_nack(method.delivery_tag, requeue=False)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    while True:
        try:
            connection = pika.BlockingConnection(pika.URLParameters(uri))
            channel = connection.channel()
            channel.basic_qos(prefetch_count=200)
            channel.basic_consume(queue, received)
            channel.start_consuming()
        except pika.exceptions.AMQPError as error:
            print(repr(error), file=sys.stderr)
        time.sleep(1)
except KeyboardInterrupt:
    pass
