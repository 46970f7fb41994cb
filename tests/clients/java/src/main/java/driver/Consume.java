package driver;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

final class Consume implements ConsumerRebalanceListener {
    private final Options options;
    private final long started = System.currentTimeMillis();
    /** Since when there was neither a record nor a first assignment; zero before any. */
    private long quietSince;

    private Consume(Options options) {
        this.options = options;
    }

    static void group(Options options) throws IOException {
        group(options, (consumer, listener) -> {
            if (options.has("--pattern")) {
                consumer.subscribe(Pattern.compile(options.get("--pattern")), listener);
            } else {
                consumer.subscribe(options.all("--topic"), listener);
            }
        });
    }

    /** A member that subscribes in a way which not every version of the client has. */
    static void group(
            Options options, BiConsumer<KafkaConsumer<byte[], byte[]>, ConsumerRebalanceListener> subscribe)
            throws IOException {
        var consume = new Consume(options);
        try (var consumer = consumer(options, member(options, options.need("--group")))) {
            subscribe.accept(consumer, consume);
            consume.read(consumer);
        }
    }

    /** A member of this group that reads these topics. */
    static KafkaConsumer<byte[], byte[]> subscribed(Options options, String group, List<String> topics)
            throws IOException {
        var settings = member(options, group);
        // So that no transaction is given more than it takes.
        settings.put("max.poll.records", 1);
        var consumer = consumer(options, settings);
        consumer.subscribe(topics);
        return consumer;
    }

    private static Map<String, Object> member(Options options, String group) {
        var settings = new HashMap<String, Object>(Map.of("group.id", group));
        switch (options.get("--protocol", "eager")) {
            case "eager" -> settings.put(
                    "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
            case "cooperative" -> settings.put(
                    "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            case "consumer" -> settings.put("group.protocol", "consumer");
            default -> throw new IllegalArgumentException("unknown protocol: " + options.get("--protocol"));
        }
        return settings;
    }

    static void assigned(Options options) throws IOException {
        var consume = new Consume(options);
        try (var consumer = consumer(options, Map.of())) {
            var partitions = new ArrayList<TopicPartition>();
            for (String topic : options.all("--topic")) {
                for (String partition : options.all("--partition")) {
                    partitions.add(new TopicPartition(topic, Integer.parseInt(partition)));
                }
            }
            consumer.assign(partitions);
            switch (options.get("--from", "earliest")) {
                case "earliest" -> consumer.seekToBeginning(partitions);
                case "latest" -> consumer.seekToEnd(partitions);
                default -> partitions.forEach(p -> consumer.seek(p, options.number("--from", 0)));
            }
            consume.quietSince = System.currentTimeMillis();
            consume.read(consumer);
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Options options, Map<String, Object> more)
            throws IOException {
        var defaults = new HashMap<String, Object>(Map.of(
                "enable.auto.commit", "false",
                "isolation.level", options.get("--isolation", "read_uncommitted"),
                "auto.offset.reset", options.get("--from", "earliest").equals("latest") ? "latest" : "earliest",
                "default.api.timeout.ms", options.timeout()));
        defaults.putAll(more);
        return new KafkaConsumer<>(options.client(defaults), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private void read(KafkaConsumer<byte[], byte[]> consumer) {
        var stdinClosed = options.stdinClosed();
        long left = options.number("--max", Long.MAX_VALUE);
        String lastError = null;
        while (left > 0 && !stdinClosed.getAsBoolean() && !over()) {
            try {
                left -= batch(consumer.poll(Duration.ofMillis(100)), left, consumer);
                lastError = null;
            } catch (KafkaException e) {
                // The same trouble over and over is one event.
                if (!Objects.equals(lastError, e.toString())) {
                    Output.error(e);
                }
                lastError = e.toString();
                boolean refused = e instanceof AuthorizationException || e instanceof AuthenticationException;
                if (refused && !options.has("--until-stdin-closes")) {
                    return;
                }
            }
        }
    }

    private boolean over() {
        long now = System.currentTimeMillis();
        if (options.has("--idle") && quietSince > 0 && now - quietSince >= options.number("--idle", 0)) {
            return true;
        }
        return !options.has("--until-stdin-closes") && now - started >= options.timeout();
    }

    /** Shows at most `left` records, commits them where asked, and says how many there were. */
    private long batch(ConsumerRecords<byte[], byte[]> records, long left, KafkaConsumer<byte[], byte[]> consumer) {
        var next = new HashMap<TopicPartition, OffsetAndMetadata>();
        long shown = 0;
        for (ConsumerRecord<byte[], byte[]> record : records) {
            if (shown == left) {
                break;
            }
            show(record);
            shown++;
            next.put(new TopicPartition(record.topic(), record.partition()),
                    new OffsetAndMetadata(record.offset() + 1));
        }
        if (shown > 0) {
            quietSince = System.currentTimeMillis();
        }
        if (options.has("--commit") && !next.isEmpty()) {
            consumer.commitSync(next);
            Output.event("committed", "offsets", Output.offsets(next));
        }
        return shown;
    }

    private static void show(ConsumerRecord<byte[], byte[]> record) {
        var headers = new ArrayList<List<String>>();
        record.headers().forEach(header -> {
            var pair = new ArrayList<String>();
            pair.add(header.key());
            pair.add(Output.bytes(header.value()));
            headers.add(pair);
        });
        TimestampType type = record.timestampType();
        Output.event("record", "topic", record.topic(), "partition", record.partition(), "offset", record.offset(),
                "timestamp", record.timestamp(),
                "timestampType", type == TimestampType.CREATE_TIME ? "create"
                        : type == TimestampType.LOG_APPEND_TIME ? "append" : "none",
                "key", Output.bytes(record.key()), "value", Output.bytes(record.value()), "headers", headers);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        quietSince = quietSince == 0 ? System.currentTimeMillis() : quietSince;
        Output.event("assigned", "partitions", Output.partitions(partitions));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        Output.event("revoked", "partitions", Output.partitions(partitions));
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        Output.event("lost", "partitions", Output.partitions(partitions));
    }
}
