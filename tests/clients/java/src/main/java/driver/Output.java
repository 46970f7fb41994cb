package driver;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Base64;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.protocol.Errors;

/** Events on stdout, one JSON object per line. */
final class Output {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Output() {}

    /** One event; fields are given as name, value, name, value, … */
    static synchronized void event(String name, Object... fields) {
        var event = new LinkedHashMap<String, Object>();
        event.put("event", name);
        for (int i = 0; i < fields.length; i += 2) {
            event.put((String) fields[i], fields[i + 1]);
        }
        try {
            System.out.println(JSON.writeValueAsString(event));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    static void error(Throwable thrown, Object... fields) {
        Throwable cause = thrown;
        while ((cause instanceof ExecutionException || cause instanceof CompletionException) && cause.getCause() != null) {
            cause = cause.getCause();
        }
        // The one common exception that keeps its broker error to itself.
        Errors error = cause instanceof CommitFailedException ? Errors.ILLEGAL_GENERATION : Errors.forException(cause);
        var all = new java.util.ArrayList<Object>(
                List.of("error", error.name(), "code", error.code(), "message", String.valueOf(cause.getMessage())));
        all.addAll(List.of(fields));
        event("error", all.toArray());
    }

    static String bytes(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    static List<Map<String, Object>> partitions(Collection<TopicPartition> partitions) {
        return partitions.stream()
                .map(p -> Map.<String, Object>of("topic", p.topic(), "partition", p.partition()))
                .toList();
    }

    static List<Map<String, Object>> offsets(Map<TopicPartition, OffsetAndMetadata> offsets) {
        return offsets.entrySet().stream()
                .map(e -> Map.<String, Object>of(
                        "topic", e.getKey().topic(),
                        "partition", e.getKey().partition(),
                        "offset", e.getValue().offset()))
                .toList();
    }
}
