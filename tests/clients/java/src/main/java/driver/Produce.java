package driver;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

final class Produce {
    private final Options options;
    private final String acks;
    private final String compression;

    private Produce(Options options, String acks, String compression) {
        this.options = options;
        this.acks = acks;
        this.compression = compression;
    }

    static void run(Options options) throws Exception {
        BooleanSupplier stdinClosed = options.stdinClosed();
        for (String acks : options.get("--acks", "all").split(",")) {
            for (String compression : options.get("--compression", "none").split(",")) {
                new Produce(options, acks, compression).all(stdinClosed);
            }
        }
    }

    private void all(BooleanSupplier stdinClosed) throws Exception {
        long timeout = options.timeout();
        var properties = options.client(Map.of(
                "acks", acks,
                "compression.type", compression,
                // Needs acks=all, and would refuse the others.
                "enable.idempotence", acks.equals("all"),
                "linger.ms", 0,
                "max.block.ms", timeout,
                "request.timeout.ms", timeout,
                "delivery.timeout.ms", timeout));
        long count = options.has("--until-stdin-closes") ? Long.MAX_VALUE : options.number("--count", 1);
        long interval = options.number("--interval", options.has("--until-stdin-closes") ? 10 : 0);
        try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (long i = 0; i < count && !stdinClosed.getAsBoolean(); i++) {
                send(producer, i);
                if (interval > 0) {
                    Thread.sleep(interval);
                }
            }
        }
    }

    private void send(KafkaProducer<byte[], byte[]> producer, long number) {
        Integer partition = options.has("--partition") ? Integer.valueOf(options.get("--partition")) : null;
        Long timestamp = options.has("--timestamp") ? options.number("--timestamp", 0) + number : null;
        var record = new ProducerRecord<>(
                options.need("--topic"), partition, timestamp, options.filled("--key", words(number)), value(number));
        headers(options, record);
        try {
            producer.send(record, (metadata, error) -> {
                if (error != null) {
                    Output.error(error, "number", number);
                } else {
                    Output.event("acked", "topic", metadata.topic(), "partition", metadata.partition(),
                            "offset", metadata.offset(), "acks", acks, "compression", compression, "number", number);
                }
            });
        } catch (RuntimeException e) {
            Output.error(e, "number", number);
        }
    }

    static void headers(Options options, ProducerRecord<byte[], byte[]> record) {
        for (String header : options.all("--header")) {
            String[] parts = header.split("=", 2);
            record.headers().add(parts[0], parts.length > 1 ? parts[1].getBytes(StandardCharsets.UTF_8) : null);
        }
    }

    private Map<String, ?> words(long number) {
        return Map.of("i", number, "acks", acks, "compression", compression);
    }

    private byte[] value(long number) {
        byte[] value = options.filled("--value", words(number));
        int size = (int) options.number("--size", 0);
        if (size == 0) {
            return value;
        }
        byte[] padded = new byte[Math.max(size, value == null ? 0 : value.length)];
        Arrays.fill(padded, (byte) '.');
        if (value != null) {
            System.arraycopy(value, 0, padded, 0, value.length);
        }
        return padded;
    }
}
