package driver;

import java.util.Arrays;
import org.apache.kafka.clients.consumer.SubscriptionPattern;

/** The official Java client behind the grammar of ../README.md. */
public final class Driver {
    private Driver() {}

    public static void main(String[] arguments) {
        try {
            run(arguments);
        } catch (IllegalArgumentException e) {
            System.err.println("error: " + e.getMessage());
            System.exit(2);
        } catch (Exception e) {
            Output.error(e);
        }
        Output.event("end");
        System.exit(0);
    }

    private static void run(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            throw new IllegalArgumentException("missing command: see tests/clients/README.md");
        }
        var options = new Options(Arrays.asList(arguments).subList(1, arguments.length));
        switch (arguments[0]) {
            case "produce" -> Produce.run(options);
            case "consume" -> {
                if (options.has("--regex")) {
                    var pattern = new SubscriptionPattern(options.get("--regex"));
                    Consume.group(options, (consumer, listener) -> consumer.subscribe(pattern, listener));
                } else {
                    Consume.group(options);
                }
            }
            case "assign" -> Consume.assigned(options);
            case "transact" -> Transact.run(options);
            case "list-topics" -> Describe.topics(options);
            case "list-groups" -> Describe.groups(options);
            case "list-transactions" -> Describe.transactions(options);
            case "describe-transaction" -> Describe.transaction(options);
            case "describe-topic" -> Describe.topic(options);
            case "describe-cluster" -> Describe.cluster(options);
            case "committed" -> Describe.committed(options);
            case "describe-group" -> Administer.group(options);
            case "delete-group" -> Administer.deleteGroup(options);
            case "delete-offsets" -> Administer.deleteOffsets(options);
            case "describe-configs" -> Administer.configs(options);
            default -> Administer.change(arguments[0], options);
        }
    }
}
