package driver;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

final class Transact {
    private final Options options;
    private final KafkaProducer<byte[], byte[]> producer;
    /** Of `--from-topic`; else null. */
    private final KafkaConsumer<byte[], byte[]> source;
    private final BooleanSupplier stdinClosed;

    private Transact(
            Options options, KafkaProducer<byte[], byte[]> producer, KafkaConsumer<byte[], byte[]> source) {
        this.options = options;
        this.producer = producer;
        this.source = source;
        this.stdinClosed = options.stdinClosed();
    }

    static void run(Options options) throws Exception {
        long timeout = options.timeout();
        var properties = options.client(Map.of(
                "transactional.id", options.need("--transactional-id"), "max.block.ms", timeout, "linger.ms", 0));
        try (var source = source(options);
                var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            var transact = new Transact(options, producer, source);
            producer.initTransactions();
            for (String end : options.get("--ends", "commit").split(",")) {
                transact.one(end);
            }
        }
    }

    private static KafkaConsumer<byte[], byte[]> source(Options options) throws IOException {
        return options.has("--from-topic") ? Consume.subscribed(options, List.of(options.get("--from-topic"))) : null;
    }

    private void one(String end) throws Exception {
        var records = source == null ? List.<ConsumerRecord<byte[], byte[]>>of() : read();
        producer.beginTransaction();
        try {
            send(end, records);
            Output.event("transaction", "state", "open");
            while (options.has("--until-stdin-closes") && !stdinClosed.getAsBoolean()) {
                Thread.sleep(20);
            }
            if (end.equals("commit")) {
                producer.commitTransaction();
            } else {
                producer.abortTransaction();
            }
        } catch (Exception failed) {
            abort();
            throw failed;
        }
        Output.event("transaction", "state", end);
    }

    private void abort() {
        try {
            producer.abortTransaction();
            Output.event("transaction", "state", "abort");
        } catch (RuntimeException e) {
            // A producer that was fenced or refused has nothing that it could abort: the first error says so.
        }
    }

    /** Writes the records of one transaction, with the offsets that go with them, and waits for all acknowledgements. */
    private void send(String end, List<ConsumerRecord<byte[], byte[]>> records) throws Exception {
        var sent = new ArrayList<Future<RecordMetadata>>();
        var next = new HashMap<TopicPartition, OffsetAndMetadata>();
        Integer partition = options.has("--partition") ? Integer.valueOf(options.get("--partition")) : null;
        for (var record : records) {
            sent.add(producer.send(new ProducerRecord<>(options.need("--topic"), partition, record.key(), record.value())));
            next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        for (long i = 0; source == null && i < options.number("--count", 1); i++) {
            var words = Map.of("i", i, "end", end);
            var record = new ProducerRecord<>(options.need("--topic"), partition,
                    options.filled("--key", words), options.filled("--value", words));
            Produce.headers(options, record);
            sent.add(producer.send(record));
        }
        if (source != null) {
            producer.sendOffsetsToTransaction(next, source.groupMetadata());
        }
        for (int i = 0; i < sent.size(); i++) {
            var metadata = sent.get(i).get();
            Output.event("acked", "topic", metadata.topic(), "partition", metadata.partition(),
                    "offset", metadata.offset(), "acks", "all", "compression", "none", "number", i);
        }
    }

    /** The next `--max` records of `--from-topic`, fewer when its time is over. */
    private List<ConsumerRecord<byte[], byte[]>> read() {
        var records = new ArrayList<ConsumerRecord<byte[], byte[]>>();
        long started = System.currentTimeMillis();
        while (records.size() < options.number("--max", 1) && System.currentTimeMillis() - started < options.timeout()) {
            source.poll(Duration.ofMillis(100)).forEach(records::add);
        }
        return records;
    }
}
