package driver;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** The command line: options with a value, which may be repeated, and flags. */
final class Options {
    private static final List<String> FLAGS = List.of("--until-stdin-closes", "--commit");

    private final Map<String, List<String>> values = new HashMap<>();

    Options(List<String> arguments) {
        var rest = arguments.iterator();
        while (rest.hasNext()) {
            String name = rest.next();
            if (!name.startsWith("-")) {
                throw new IllegalArgumentException("not an option: " + name);
            }
            if (!FLAGS.contains(name) && !rest.hasNext()) {
                throw new IllegalArgumentException("option without a value: " + name);
            }
            values.computeIfAbsent(name, key -> new ArrayList<>()).add(FLAGS.contains(name) ? "" : rest.next());
        }
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    List<String> all(String name) {
        return values.getOrDefault(name, List.of());
    }

    /** The option's value, or null. */
    String get(String name) {
        return has(name) ? all(name).get(all(name).size() - 1) : null;
    }

    String get(String name, String otherwise) {
        return has(name) ? get(name) : otherwise;
    }

    String need(String name) {
        if (!has(name)) {
            throw new IllegalArgumentException("missing option: " + name);
        }
        return get(name);
    }

    long number(String name, long otherwise) {
        return has(name) ? Long.parseLong(get(name)) : otherwise;
    }

    /** `option` with what it was given in place of `{i}`, and so on; or null. */
    byte[] filled(String option, Map<String, ?> words) {
        String text = get(option);
        if (text == null) {
            return null;
        }
        for (var word : words.entrySet()) {
            text = text.replace("{" + word.getKey() + "}", word.getValue().toString());
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** The longest that anything may take, in milliseconds. */
    long timeout() {
        return number("--timeout", 30_000);
    }

    /** What the client is configured with: the driver's defaults, then the file, then `-X`. */
    Properties client(Map<String, Object> defaults) throws IOException {
        var properties = new Properties();
        properties.put("bootstrap.servers", need("--bootstrap"));
        defaults.forEach((name, value) -> properties.put(name, value.toString()));
        if (has("--config")) {
            try (Reader reader = Files.newBufferedReader(Path.of(get("--config")))) {
                properties.load(reader);
            }
        }
        for (String setting : all("-X")) {
            String[] parts = setting.split("=", 2);
            properties.put(parts[0], parts[1]);
        }
        return properties;
    }

    /** True once stdin has come to its end; always false without `--until-stdin-closes`. */
    java.util.function.BooleanSupplier stdinClosed() {
        var closed = new java.util.concurrent.atomic.AtomicBoolean();
        if (has("--until-stdin-closes")) {
            var thread = new Thread(() -> {
                try {
                    while (System.in.read() >= 0) {
                        // only its end counts
                    }
                } catch (IOException e) {
                    // as good as the end
                }
                closed.set(true);
            });
            thread.setDaemon(true);
            thread.start();
        }
        return closed::get;
    }
}
