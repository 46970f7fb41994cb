"""kafka-python behind the grammar of ../README.md."""

import argparse
import base64
import itertools
import json
import sys
import threading
import time

from kafka import (
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
    errors,
)
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor

PROTOCOLS = {"eager": RangePartitionAssignor, "cooperative": CooperativeStickyAssignor}
# The file's settings, spelled as librdkafka spells them, under this client's names.
SETTINGS = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
}
OUTPUT = threading.Lock()


def event(kind, /, **fields):
    with OUTPUT:
        print(json.dumps({"event": kind, **fields}), flush=True)


def show_error(error, **fields):
    if isinstance(error, errors.KafkaTimeoutError):
        code, name = 7, "REQUEST_TIMED_OUT"
    elif isinstance(error, errors.BrokerResponseError):
        code, name = error.errno, error.message
    else:
        code, name = -1, "UNKNOWN_SERVER_ERROR"
    event("error", error=name, code=code, message=f"{type(error).__name__}: {error}", **fields)


def as_base64(data):
    return None if data is None else base64.b64encode(bytes(data)).decode()


def partitions(listed):
    return [{"topic": p.topic, "partition": p.partition} for p in listed]


def settings(options):
    lines = list(options.setting)
    if options.config:
        with open(options.config, encoding="utf-8") as file:
            lines = [line.strip() for line in file] + lines
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {
        "bootstrap_servers": options.bootstrap.split(","),
        "request_timeout_ms": options.timeout,
        **{SETTINGS[name]: value for name, value in pairs},
    }


def stdin_closed(options):
    """An event that is set at the end of stdin; never without --until-stdin-closes."""
    closed = threading.Event()

    def watch():
        sys.stdin.buffer.read()
        closed.set()

    if options.until_stdin_closes:
        threading.Thread(target=watch, daemon=True).start()
    return closed


# --- produce and transact ---------------------------------------------------------------------------------------------


def producer_of(options, acks="all", compression="none", **more):
    return KafkaProducer(
        acks=acks if acks == "all" else int(acks),
        compression_type=None if compression == "none" else compression,
        # Needs acks=all, and would refuse the others.
        enable_idempotence=acks == "all",
        max_block_ms=options.timeout,
        delivery_timeout_ms=options.timeout,
        allow_auto_create_topics=False,
        **settings(options),
        **more,
    )


def filled(template, words):
    if template is None:
        return None
    for name, value in words.items():
        template = template.replace("{" + name + "}", str(value))
    return template.encode()


def send(producer, options, words, number):
    value = filled(options.value, words)
    if options.size:
        value = (value or b"").ljust(options.size, b".")
    return producer.send(
        options.topic[0], key=filled(options.key, words), value=value,
        headers=[(name, content.encode()) for name, _, content in (h.partition("=") for h in options.header)],
        partition=None if options.partition is None else int(options.partition[0]),
        timestamp_ms=None if options.timestamp is None else options.timestamp + number)


def acked(written, number, acks="all", compression="none"):
    event("acked", topic=written.topic, partition=written.partition, offset=-1 if acks == "0" else written.offset,
          acks=acks, compression=compression, number=number)


def produce(options):
    closed = stdin_closed(options)
    interval = options.interval if options.interval is not None else 10 if options.until_stdin_closes else 0
    for acks, compression in itertools.product(options.acks.split(","), options.compression.split(",")):
        producer = producer_of(options, acks, compression)
        for number in itertools.count() if options.until_stdin_closes else range(options.count):
            if closed.is_set():
                break
            words = {"i": number, "acks": acks, "compression": compression}
            future = send(producer, options, words, number)
            future.add_callback(lambda written, number=number: acked(written, number, acks, compression))
            future.add_errback(lambda error, number=number: show_error(error, number=number))
            time.sleep(interval / 1000)
        producer.flush(options.timeout / 1000)
        producer.close()


def transact(options):
    closed = stdin_closed(options)
    producer = producer_of(options, transactional_id=options.transactional_id)
    source = None
    if options.from_topic:
        source = consumer_of(options, **membership(options))
        subscribe(source, [options.from_topic])
    try:
        producer.init_transactions()
        for end in options.ends.split(","):
            records = read(source, options) if source else []
            producer.begin_transaction()
            try:
                send_all(producer, source, records, options, end)
                event("transaction", state="open")
                if options.until_stdin_closes:
                    closed.wait()
                (producer.commit_transaction if end == "commit" else producer.abort_transaction)()
            except errors.ProducerFencedError:
                raise  # there is nothing that it could abort
            except errors.KafkaError:
                producer.abort_transaction()
                event("transaction", state="abort")
                raise
            event("transaction", state=end)
    finally:
        producer.close()
        if source:
            source.close()


def send_all(producer, source, records, options, end):
    """Writes the records of one transaction, with the offsets that go with them, and waits for all acknowledgements."""
    if source:
        place = None if options.partition is None else int(options.partition[0])
        sent = [producer.send(options.topic[0], key=r.key, value=r.value, partition=place) for r in records]
        following = {TopicPartition(r.topic, r.partition): OffsetAndMetadata(r.offset + 1) for r in records}
        producer.send_offsets_to_transaction(following, source.group_metadata())
    else:
        sent = [send(producer, options, {"i": i, "end": end}, i) for i in range(options.count)]
    for number, future in enumerate(sent):
        acked(future.get(options.timeout / 1000), number)


def read(source, options):
    """The next --max records of --from-topic, fewer when its time is over."""
    records = []
    wanted = options.max or 1
    ends = time.monotonic() + options.timeout / 1000
    while len(records) < wanted and time.monotonic() < ends:
        for batch in source.poll(100, max_records=wanted - len(records)).values():
            records += batch
    return records


# --- consume and assign -----------------------------------------------------------------------------------------------


class Reading(ConsumerRebalanceListener):
    def __init__(self, options, **more):
        self.options = options
        self.closed = stdin_closed(options)
        self.started = time.monotonic()
        self.quiet_since = None  # neither a record nor a first assignment since then
        self.last = None
        self.consumer = consumer_of(options, **more)

    def on_partitions_assigned(self, assigned):
        self.quiet_since = self.quiet_since or time.monotonic()
        event("assigned", partitions=partitions(assigned))

    def on_partitions_revoked(self, revoked):
        event("revoked", partitions=partitions(revoked))

    def on_partitions_lost(self, lost):
        event("lost", partitions=partitions(lost))

    def over(self):
        now, options = time.monotonic(), self.options
        if options.until_stdin_closes:
            return self.closed.is_set()
        if now - self.started >= options.timeout / 1000:
            return True
        return options.idle is not None and self.quiet_since is not None and now - self.quiet_since >= options.idle / 1000

    def run(self):
        left = self.options.max if self.options.max is not None else sys.maxsize
        try:
            while left > 0 and not self.over():
                try:
                    left -= self.batch(self.consumer.poll(100, max_records=min(left, 500)))
                    self.last = None
                except errors.KafkaError as error:
                    # The same trouble over and over is one event.
                    if str(error) != self.last:
                        show_error(error)
                    self.last = str(error)
                    if isinstance(error, errors.AuthorizationError) and not self.options.until_stdin_closes:
                        break
        finally:
            self.consumer.close()

    def batch(self, fetched):
        records = [record for batch in fetched.values() for record in batch]
        for record in records:
            kind = {0: "create", 1: "append"}.get(record.timestamp_type, "none")
            event("record", topic=record.topic, partition=record.partition, offset=record.offset,
                  timestamp=record.timestamp, timestampType=kind, key=as_base64(record.key),
                  value=as_base64(record.value), headers=[[name, as_base64(value)] for name, value in record.headers])
        if records:
            self.quiet_since = time.monotonic()
        if self.options.commit and records:
            following = {TopicPartition(r.topic, r.partition): OffsetAndMetadata(r.offset + 1) for r in records}
            self.consumer.commit(following)
            event("committed", offsets=[{"topic": at.topic, "partition": at.partition, "offset": offset.offset}
                                        for at, offset in following.items()])
        return len(records)


def consumer_of(options, **more):
    return KafkaConsumer(
        enable_auto_commit=False,
        auto_offset_reset="latest" if options.start == "latest" else "earliest",
        isolation_level=options.isolation,
        fetch_max_wait_ms=500,
        **settings(options),
        **more,
    )


def membership(options):
    return {
        "group_id": options.group,
        "partition_assignment_strategy": (PROTOCOLS[options.protocol],),
        # The default of three seconds is how long a rebalance takes.
        "heartbeat_interval_ms": 500,
    }


def subscribe(consumer, topics, listener=None):
    """Subscribes and waits until the client knows the topics, which it asks for only a while after it has started.

    Else it can join first, as a leader that gives itself nothing, and joins again as soon as it knows better. A poll that ends
    between that SyncGroup and its answer loses the assignment: to the next poll nothing has changed (`need_rejoin` of 3.0.12
    compares what was assigned, not what was received). Such a member holds nothing and reads nothing from then on.
    """
    consumer.subscribe(topics, listener=listener)
    for topic in topics:
        consumer.partitions_for_topic(topic)


def consume(options):
    reading = Reading(options, **membership(options))
    subscribe(reading.consumer, options.topic, reading)
    reading.run()


def assign(options):
    reading = Reading(options)
    places = [TopicPartition(topic, int(partition)) for topic in options.topic for partition in options.partition]
    reading.consumer.assign(places)
    if options.start == "earliest":
        reading.consumer.seek_to_beginning(*places)
    elif options.start == "latest":
        reading.consumer.seek_to_end(*places)
    else:
        for place in places:
            reading.consumer.seek(place, int(options.start))
    reading.quiet_since = time.monotonic()
    reading.run()


# --- what the admin client can see ------------------------------------------------------------------------------------


def list_topics(options):
    with KafkaAdminClient(**settings(options)) as admin:
        for name in sorted(admin.list_topics()):
            event("topic", name=name)


def list_groups(options):
    with KafkaAdminClient(**settings(options)) as admin:
        for group in sorted(admin.list_groups(), key=lambda group: group["group_id"]):
            event("group", group=group["group_id"], state=group.get("group_state"))


def describe_topic(options):
    with KafkaAdminClient(**settings(options)) as admin:
        topic = admin.describe_topics([options.topic[0]])[0]
    if topic["error_code"]:
        raise errors.for_code(topic["error_code"])
    event("topic", name=topic["name"], id=str(topic.get("topic_id")),
          partitions=[{
              "partition": p["partition_index"], "leader": p["leader_id"],
              "replicas": p["replica_nodes"], "isr": p["isr_nodes"],
          } for p in sorted(topic["partitions"], key=lambda p: p["partition_index"])])


def describe_cluster(options):
    with KafkaAdminClient(**settings(options)) as admin:
        cluster = admin.describe_cluster()
    event("cluster", id=cluster["cluster_id"], controller=cluster["controller_id"],
          nodes=[{"id": b["broker_id"], "host": b["host"], "port": b["port"]} for b in cluster["brokers"]],
          authorizedOperations=[])


def committed(options):
    with KafkaAdminClient(**settings(options)) as admin:
        offsets = admin.list_group_offsets(options.group)[options.group]
    for at, offset in offsets.items():
        event("offset", topic=at.topic, partition=at.partition, offset=offset.offset)


COMMANDS = {
    "produce": produce,
    "consume": consume,
    "assign": assign,
    "transact": transact,
    "list-topics": list_topics,
    "list-groups": list_groups,
    "describe-topic": describe_topic,
    "describe-cluster": describe_cluster,
    "committed": committed,
}


def parse(arguments):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--config")
    parser.add_argument("-X", dest="setting", action="append", default=[])
    parser.add_argument("--timeout", type=int, default=30_000)
    parser.add_argument("--topic", action="append", default=[])
    parser.add_argument("--partition", action="append")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--key")
    parser.add_argument("--value")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--timestamp", type=int)
    parser.add_argument("--acks", default="all")
    parser.add_argument("--compression", default="none")
    parser.add_argument("--interval", type=int)
    parser.add_argument("--until-stdin-closes", action="store_true")
    parser.add_argument("--group")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="eager")
    parser.add_argument("--from", dest="start", default="earliest")
    parser.add_argument("--max", type=int)
    parser.add_argument("--idle", type=int)
    parser.add_argument("--commit", action="store_true")
    parser.add_argument("--isolation", choices=["read_committed", "read_uncommitted"], default="read_uncommitted")
    parser.add_argument("--transactional-id")
    parser.add_argument("--ends", default="commit")
    parser.add_argument("--from-topic")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    try:
        COMMANDS[options.command](options)
    except errors.KafkaError as thrown:
        show_error(thrown)
    event("end")


main()
