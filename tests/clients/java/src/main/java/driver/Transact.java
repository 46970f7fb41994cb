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
    /** Of `--from-topic`, one for each `--group`; else none. */
    private final List<KafkaConsumer<byte[], byte[]>> sources;
    private final BooleanSupplier stdinClosed;

    private Transact(
            Options options, KafkaProducer<byte[], byte[]> producer, List<KafkaConsumer<byte[], byte[]>> sources) {
        this.options = options;
        this.producer = producer;
        this.sources = sources;
        this.stdinClosed = options.stdinClosed();
    }

    static void run(Options options) throws Exception {
        long timeout = options.timeout();
        var properties = options.client(Map.of(
                "transactional.id", options.need("--transactional-id"), "max.block.ms", timeout, "linger.ms", 0));
        var sources = sources(options);
        try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            var transact = new Transact(options, producer, sources);
            producer.initTransactions();
            for (String end : options.get("--ends", "commit").split(",")) {
                transact.one(end);
            }
        } finally {
            sources.forEach(KafkaConsumer::close);
        }
    }

    private static List<KafkaConsumer<byte[], byte[]>> sources(Options options) throws IOException {
        var sources = new ArrayList<KafkaConsumer<byte[], byte[]>>();
        if (options.has("--from-topic")) {
            for (String group : options.all("--group")) {
                sources.add(Consume.subscribed(options, group, List.of(options.get("--from-topic"))));
            }
        }
        return sources;
    }

    private void one(String end) throws Exception {
        var records = new ArrayList<List<ConsumerRecord<byte[], byte[]>>>();
        for (var source : sources) {
            records.add(read(source));
        }
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
    private void send(String end, List<List<ConsumerRecord<byte[], byte[]>>> read) throws Exception {
        var sent = new ArrayList<Future<RecordMetadata>>();
        Integer partition = options.has("--partition") ? Integer.valueOf(options.get("--partition")) : null;
        for (int i = 0; i < sources.size(); i++) {
            var next = new HashMap<TopicPartition, OffsetAndMetadata>();
            for (var record : read.get(i)) {
                sent.add(producer.send(new ProducerRecord<>(topic(sent.size()), partition, record.key(), record.value())));
                next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
            }
            producer.sendOffsetsToTransaction(next, sources.get(i).groupMetadata());
        }
        for (int i = 0; sources.isEmpty() && i < options.number("--count", 1); i++) {
            var words = Map.of("i", i, "end", end);
            var record = new ProducerRecord<>(topic(i), partition,
                    options.filled("--key", words), options.filled("--value", words));
            Produce.headers(options, record);
            sent.add(producer.send(record));
        }
        for (int i = 0; i < sent.size(); i++) {
            var metadata = sent.get(i).get();
            Output.event("acked", "topic", metadata.topic(), "partition", metadata.partition(),
                    "offset", metadata.offset(), "acks", "all", "compression", "none", "number", i);
        }
    }

    /** Where a transaction's record goes: to each `--topic` in turn. */
    private String topic(int number) {
        var topics = options.all("--topic");
        return topics.get(number % topics.size());
    }

    /** The next `--max` records of `--from-topic`, fewer when its time is over. */
    private List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> source) {
        var records = new ArrayList<ConsumerRecord<byte[], byte[]>>();
        long started = System.currentTimeMillis();
        while (records.size() < options.number("--max", 1) && System.currentTimeMillis() - started < options.timeout()) {
            source.poll(Duration.ofMillis(100)).forEach(records::add);
        }
        return records;
    }
}
