"""librdkafka behind the grammar of ../README.md."""

import argparse
import base64
import contextlib
import itertools
import json
import sys
import threading
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

# librdkafka's own names, where Kafka's differ.
NAMES = {
    2: "CORRUPT_MESSAGE",
    3: "UNKNOWN_TOPIC_OR_PARTITION",
    4: "INVALID_FETCH_SIZE",
    6: "NOT_LEADER_OR_FOLLOWER",
    10: "MESSAGE_TOO_LARGE",
    11: "STALE_CONTROLLER_EPOCH",
    17: "INVALID_TOPIC_EXCEPTION",
    106: "FETCH_SESSION_TOPIC_ID_ERROR",
    108: "NEW_LEADER_ELECTED",
}
# What only the client knows, as the broker error that says the same: (code, name).
LOCAL = {
    KafkaError._UNKNOWN_TOPIC: (3, "UNKNOWN_TOPIC_OR_PARTITION"),
    KafkaError._UNKNOWN_PARTITION: (3, "UNKNOWN_TOPIC_OR_PARTITION"),
    KafkaError._MSG_TIMED_OUT: (7, "REQUEST_TIMED_OUT"),
    KafkaError._TIMED_OUT: (7, "REQUEST_TIMED_OUT"),
    KafkaError._TIMED_OUT_QUEUE: (7, "REQUEST_TIMED_OUT"),
    KafkaError._TRANSPORT: (13, "NETWORK_EXCEPTION"),
    KafkaError._ALL_BROKERS_DOWN: (13, "NETWORK_EXCEPTION"),
    KafkaError._RESOLVE: (13, "NETWORK_EXCEPTION"),
    KafkaError._AUTHENTICATION: (58, "SASL_AUTHENTICATION_FAILED"),
    KafkaError._UNSUPPORTED_FEATURE: (35, "UNSUPPORTED_VERSION"),
    KafkaError._FENCED: (90, "PRODUCER_FENCED"),
}
# Authentication and authorisation: waiting does not help.
REFUSED = {
    KafkaError._AUTHENTICATION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
}
PROTOCOLS = {
    "eager": {"partition.assignment.strategy": "range"},
    "cooperative": {"partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}
OUTPUT = threading.Lock()


def event(kind, /, **fields):
    with OUTPUT:
        print(json.dumps({"event": kind, **fields}), flush=True)


def show_error(error, **fields):
    code, name = LOCAL.get(error.code(), (error.code(), NAMES.get(error.code(), error.name())))
    if code < 0:
        code, name = -1, "UNKNOWN_SERVER_ERROR"
    event("error", error=name, code=code, message=f"{error.name()}: {error.str()}", **fields)


class Troubles:
    """Shows what goes wrong, the same trouble over and over once."""

    def __init__(self):
        self.last = None
        self.refused = False

    def __call__(self, error):
        if error.code() != self.last:
            show_error(error)
        self.last = error.code()
        self.refused |= error.code() in REFUSED


def as_base64(data):
    return None if data is None else base64.b64encode(data).decode()


def partitions(listed):
    return [{"topic": p.topic, "partition": p.partition} for p in listed]


def client(options, **defaults):
    settings = {"bootstrap.servers": options.bootstrap, **defaults}
    if options.config:
        with open(options.config, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
        settings.update(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings.update(setting.split("=", 1) for setting in options.setting)
    return settings


def stdin_closed(options):
    """An event that is set at the end of stdin; never without --until-stdin-closes."""
    closed = threading.Event()

    def watch():
        sys.stdin.buffer.read()
        closed.set()

    if options.until_stdin_closes:
        threading.Thread(target=watch, daemon=True).start()
    return closed


# --- produce ----------------------------------------------------------------------------------------------------------


def produce(options):
    closed = stdin_closed(options)
    for acks, compression in itertools.product(options.acks.split(","), options.compression.split(",")):
        produce_all(options, acks, compression, closed)


def produce_all(options, acks, compression, closed):
    troubles = Troubles()
    producer = Producer(client(
        options,
        **{
            "acks": acks,
            "compression.type": compression,
            # Needs acks=all, and would refuse the others.
            "enable.idempotence": acks == "all",
            "linger.ms": 0,
            "message.timeout.ms": options.timeout,
            "error_cb": troubles,
        },
    ))
    interval = options.interval if options.interval is not None else 10 if options.until_stdin_closes else 0
    numbers = itertools.count() if options.until_stdin_closes else range(options.count)
    for number in numbers:
        if closed.is_set():
            break
        send(producer, options, number, acks, compression)
        producer.poll(interval / 1000)
    deadline = time.monotonic() + options.timeout / 1000 + 5
    while producer.flush(0.05) and time.monotonic() < deadline:
        # librdkafka itself logs in again and again until its records are too old.
        if troubles.refused and not options.until_stdin_closes:
            producer.purge()


def filled(template, words):
    if template is None:
        return None
    for name, value in words.items():
        template = template.replace("{" + name + "}", str(value))
    return template.encode()


def send(producer, options, number, acks, compression):
    words = {"i": number, "acks": acks, "compression": compression}
    value = filled(options.value, words)
    if options.size:
        value = (value or b"").ljust(options.size, b".")

    def delivered(error, message):
        if error is not None:
            show_error(error, number=number)
            return
        # Without an acknowledgement there is no offset; librdkafka then says 0 or less, as it comes.
        offset = -1 if acks == "0" else message.offset()
        event("acked", topic=message.topic(), partition=message.partition(), offset=offset,
              acks=acks, compression=compression, number=number)

    place = {} if options.partition is None else {"partition": int(options.partition[0])}
    if options.timestamp is not None:
        place["timestamp"] = options.timestamp + number
    try:
        producer.produce(options.topic[0], key=filled(options.key, words), value=value,
                         headers=headers(options), on_delivery=delivered, **place)
    except KafkaException as thrown:
        show_error(thrown.args[0], number=number)


def headers(options):
    return [(name, value if equals else None) for name, equals, value in (h.partition("=") for h in options.header)]


# --- transact ---------------------------------------------------------------------------------------------------------


def transact(options):
    closed = stdin_closed(options)
    seconds = options.timeout / 1000
    producer = Producer(client(
        options,
        **{"transactional.id": options.transactional_id, "linger.ms": 0, "error_cb": Troubles()},
    ))
    sources = sources_of(options)
    try:
        producer.init_transactions(seconds)
        for end in options.ends.split(","):
            records = [read(source, options) for source in sources]
            producer.begin_transaction()
            try:
                send_all(producer, sources, records, options, end)
                event("transaction", state="open")
                if options.until_stdin_closes:
                    closed.wait()
                (producer.commit_transaction if end == "commit" else producer.abort_transaction)(seconds)
            except KafkaException as failed:
                if not failed.args[0].fatal():
                    abort(producer, seconds)
                raise
            event("transaction", state=end)
    finally:
        for source in sources:
            source.close()


def abort(producer, seconds):
    try:
        producer.abort_transaction(seconds)
    except KafkaException:
        # Where every partition was refused, the broker knows of nothing to abort: the first error says so.
        return
    event("transaction", state="abort")


def sources_of(options):
    """A member of each --group that reads --from-topic, if there is one."""
    return [source_of(options, group) for group in options.groups] if options.from_topic else []


def source_of(options, group):
    source = Consumer(client(options, **{
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": options.isolation,
        "error_cb": Troubles(),
        **PROTOCOLS[options.protocol],
    }))
    source.subscribe([options.from_topic])
    return source


def read(source, options):
    """The next --max records of --from-topic, fewer when its time is over."""
    records = []
    wanted = options.max or 1
    ends = time.monotonic() + options.timeout / 1000
    while len(records) < wanted and time.monotonic() < ends:
        messages = source.consume(num_messages=wanted - len(records), timeout=0.1)
        records += [message for message in messages if not message.error()]
    return records


def send_all(producer, sources, read_by, options, end):
    """Writes the records of one transaction, with the offsets that go with them, and waits for all acknowledgements."""
    failed = []

    def delivered(number):
        def show(error, message):
            if error is not None:
                failed.append(error)
                return
            event("acked", topic=message.topic(), partition=message.partition(), offset=message.offset(),
                  acks="all", compression="none", number=number)

        return show

    place = {} if options.partition is None else {"partition": int(options.partition[0])}
    if sources:
        contents = [(record.key(), record.value(), []) for records in read_by for record in records]
    else:
        contents = [(filled(options.key, words), filled(options.value, words), headers(options))
                    for words in ({"i": i, "end": end} for i in range(options.count))]
    for number, (key, value, with_headers) in enumerate(contents):
        producer.produce(options.topic[number % len(options.topic)], key=key, value=value, headers=with_headers,
                         on_delivery=delivered(number), **place)
    for source, records in zip(sources, read_by):
        following = {(record.topic(), record.partition()): record.offset() + 1 for record in records}
        producer.send_offsets_to_transaction(
            [TopicPartition(*at, offset) for at, offset in following.items()],
            source.consumer_group_metadata(), options.timeout / 1000)
    producer.flush(options.timeout / 1000)
    if failed:
        # Why its transaction failed is what a commit is refused with; what became of a record (purged) says less, unless it
        # is the reason.
        try:
            producer.commit_transaction(options.timeout / 1000)
        except KafkaException as refused:
            if refused.args[0].code() != KafkaError._INCONSISTENT:
                raise
        raise KafkaException(failed[0])


# --- consume and assign -----------------------------------------------------------------------------------------------


class Reading:
    def __init__(self, options, **defaults):
        self.options = options
        self.closed = stdin_closed(options)
        self.started = time.monotonic()
        self.quiet_since = None  # neither a record nor a first assignment since then
        self.uncommitted = {}  # what was read, or refused to be committed the last time
        self.troubles = Troubles()
        self.consumer = Consumer(client(
            options,
            **{
                "group.id": "unused",
                "enable.auto.commit": False,
                "auto.offset.reset": "latest" if options.start == "latest" else "earliest",
                "isolation.level": options.isolation,
                "error_cb": self.troubles,
                **defaults,
            },
        ))

    def assigned(self, _, listed):
        self.quiet_since = self.quiet_since or time.monotonic()
        event("assigned", partitions=partitions(listed))

    def revoked(self, _, listed):
        event("revoked", partitions=partitions(listed))

    def lost(self, _, listed):
        event("lost", partitions=partitions(listed))

    def over(self):
        now, options = time.monotonic(), self.options
        if options.until_stdin_closes:
            return self.closed.is_set()
        if self.troubles.refused or now - self.started >= options.timeout / 1000:
            return True
        return options.idle is not None and self.quiet_since is not None and now - self.quiet_since >= options.idle / 1000

    def run(self):
        left = self.options.max if self.options.max is not None else sys.maxsize
        try:
            while left > 0 and not self.over():
                left -= self.batch(self.consumer.consume(num_messages=min(left, 500), timeout=0.1))
        finally:
            self.consumer.close()

    def batch(self, messages):
        shown = 0
        for message in messages:
            if message.error():
                self.troubles(message.error())
                continue
            show_record(message)
            shown += 1
            self.uncommitted[message.topic(), message.partition()] = message.offset() + 1
        if shown:
            self.quiet_since = time.monotonic()
            self.troubles.last = None
        if self.options.commit and self.uncommitted:
            self.commit([TopicPartition(*at, offset) for at, offset in self.uncommitted.items()])
        return shown

    def commit(self, offsets):
        try:
            self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as thrown:
            self.troubles(thrown.args[0])
            return
        self.uncommitted = {}
        event("committed", offsets=[{"topic": p.topic, "partition": p.partition, "offset": p.offset} for p in offsets])


def show_record(message):
    kind, timestamp = message.timestamp()
    kinds = {TIMESTAMP_CREATE_TIME: "create", TIMESTAMP_LOG_APPEND_TIME: "append"}
    shown = [[name, as_base64(value)] for name, value in message.headers() or []]
    event("record", topic=message.topic(), partition=message.partition(), offset=message.offset(),
          timestamp=timestamp, timestampType=kinds.get(kind, "none"),
          key=as_base64(message.key()), value=as_base64(message.value()), headers=shown)


def consume(options):
    reading = Reading(options, **{"group.id": options.group, **PROTOCOLS[options.protocol]})
    reading.consumer.subscribe(options.topic, on_assign=reading.assigned, on_revoke=reading.revoked, on_lost=reading.lost)
    reading.run()


def assign(options):
    reading = Reading(options)
    start = {"earliest": OFFSET_BEGINNING, "latest": OFFSET_END}.get(options.start)
    start = int(options.start) if start is None else start
    reading.consumer.assign([TopicPartition(t, int(p), start) for t in options.topic for p in options.partition])
    reading.quiet_since = time.monotonic()
    reading.run()


# --- what the admin client can see ------------------------------------------------------------------------------------


@contextlib.contextmanager
def admin_client(options, troubles=None):
    admin = AdminClient(client(options, **{"error_cb": troubles or Troubles()}))
    try:
        yield admin
    finally:
        admin.poll(0)  # calls error_cb


def names(operations):
    return sorted(operation.name for operation in operations or [])


def list_topics(options):
    troubles = Troubles()
    with admin_client(options, troubles) as admin:
        for name in sorted(topics(admin, troubles, options)):
            event("topic", name=name)


def topics(admin, troubles, options):
    """Asks until there is an answer, or no more time; whoever is refused is told so at once."""
    deadline = time.monotonic() + options.timeout / 1000
    while True:
        left = deadline - time.monotonic()
        try:
            return admin.list_topics(timeout=min(1, left)).topics
        except KafkaException:
            admin.poll(0)  # calls error_cb
            if troubles.refused or left <= 1:
                raise


def list_groups(options):
    with admin_client(options) as admin:
        listed = admin.list_consumer_groups(request_timeout=options.timeout / 1000).result()
    for error in listed.errors:
        show_error(error.args[0])
    for group in sorted(listed.valid, key=lambda group: group.group_id):
        event("group", group=group.group_id, state=group.state.name)


def describe_topic(options):
    name = options.topic[0]
    with admin_client(options) as admin:
        asked = admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=options.timeout / 1000)
        topic = asked[name].result()
    event("topic", name=topic.name, id=str(topic.topic_id),
          partitions=[{
              "partition": p.id,
              "leader": p.leader.id if p.leader else -1,
              "replicas": [node.id for node in p.replicas],
              "isr": [node.id for node in p.isr],
          } for p in topic.partitions],
          authorizedOperations=names(topic.authorized_operations))


def describe_cluster(options):
    with admin_client(options) as admin:
        cluster = admin.describe_cluster(
            include_authorized_operations=True, request_timeout=options.timeout / 1000).result()
    event("cluster", id=cluster.cluster_id, controller=cluster.controller.id if cluster.controller else -1,
          nodes=[{"id": node.id, "host": node.host, "port": node.port} for node in cluster.nodes],
          authorizedOperations=names(cluster.authorized_operations))


def committed(options):
    with admin_client(options) as admin:
        asked = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(options.group)], request_timeout=options.timeout / 1000)
        offsets = asked[options.group].result().topic_partitions
    for p in offsets:
        if p.error:
            show_error(p.error)
        elif p.offset >= 0:
            event("offset", topic=p.topic, partition=p.partition, offset=p.offset)


# --- what the admin client does ---------------------------------------------------------------------------------------


def describe_group(options):
    name = options.groups[0]
    with admin_client(options) as admin:
        asked = admin.describe_consumer_groups(
            [name], include_authorized_operations=True, request_timeout=options.timeout / 1000)
        group = asked[name].result()
    event("group", group=name, state=group.state.name, type=group.type.name,
          members=[described(member) for member in group.members],
          authorizedOperations=names(group.authorized_operations))


def described(member):
    def held(assignment):
        return partitions(sorted(assignment.topic_partitions, key=lambda p: (p.topic, p.partition)))

    shown = {"id": member.member_id, "host": member.host, "partitions": held(member.assignment)}
    if member.target_assignment:
        shown["target"] = held(member.target_assignment)
    return shown


def delete_group(options):
    with admin_client(options) as admin:
        admin.delete_consumer_groups(options.groups[:1], request_timeout=options.timeout / 1000)[options.groups[0]].result()


def describe_configs(options):
    topic = ConfigResource(ConfigResource.Type.TOPIC, options.topic[0])
    with admin_client(options) as admin:
        settings = admin.describe_configs([topic], request_timeout=options.timeout / 1000)[topic].result()
    for name in sorted(settings):
        event("config", name=name, value=settings[name].value)


def change(call):
    """What only an administrator may do: `call` starts it on a topic and gives what to wait for."""

    def run(options):
        with admin_client(options) as admin:
            started = call(admin, options.topic[0])
            for future in started.values() if isinstance(started, dict) else [started]:
                future.result(options.timeout / 1000)

    return run


def altered(topic):
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    return [ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])]


ANY_ACL = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
CHANGES = {
    "create-topic": change(lambda admin, topic: admin.create_topics([NewTopic(topic, 1, 1)])),
    "delete-topic": change(lambda admin, topic: admin.delete_topics([topic])),
    "create-partitions": change(lambda admin, topic: admin.create_partitions([NewPartitions(topic, 9)])),
    "delete-records": change(lambda admin, topic: admin.delete_records([TopicPartition(topic, 0, 1)])),
    "alter-configs": change(lambda admin, topic: admin.incremental_alter_configs(altered(topic))),
    "describe-acls": change(lambda admin, _: admin.describe_acls(ANY_ACL)),
}


COMMANDS = {
    **CHANGES,
    "describe-group": describe_group,
    "delete-group": delete_group,
    "describe-configs": describe_configs,
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
    parser.add_argument("--group", dest="groups", action="append", default=[])
    parser.add_argument("--protocol", choices=PROTOCOLS, default="eager")
    parser.add_argument("--from", dest="start", default="earliest")
    parser.add_argument("--max", type=int)
    parser.add_argument("--idle", type=int)
    parser.add_argument("--commit", action="store_true")
    parser.add_argument("--isolation", choices=["read_committed", "read_uncommitted"], default="read_uncommitted")
    parser.add_argument("--transactional-id")
    parser.add_argument("--ends", default="commit")
    parser.add_argument("--from-topic")
    options = parser.parse_args(arguments)
    options.group = options.groups[-1] if options.groups else None
    return options


def main():
    options = parse(sys.argv[1:])
    try:
        COMMANDS[options.command](options)
    except KafkaException as thrown:
        show_error(thrown.args[0])
    event("end")


main()
