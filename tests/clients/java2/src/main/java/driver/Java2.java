package driver;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.common.Node;

/** An old Java client: what it shares with the new one is compiled from there, what its API spells otherwise is here. */
public final class Java2 {
    private Java2() {}

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
            case "consume" -> Consume.group(options);
            case "assign" -> Consume.assigned(options);
            case "transact" -> Transact.run(options);
            default -> {
                var settings = options.client(Map.of(
                        "default.api.timeout.ms", options.timeout(), "request.timeout.ms", options.timeout()));
                try (Admin admin = Admin.create(settings)) {
                    describe(arguments[0], options, admin);
                }
            }
        }
    }

    private static void describe(String command, Options options, Admin admin) throws Exception {
        switch (command) {
            case "list-topics" -> {
                for (String name : new TreeSet<>(admin.listTopics().names().get())) {
                    Output.event("topic", "name", name);
                }
            }
            case "list-groups" -> {
                for (var group : admin.listConsumerGroups().all().get()) {
                    Output.event("group", "group", group.groupId());
                }
            }
            case "describe-topic" -> topic(options, admin);
            case "describe-cluster" -> cluster(admin);
            case "committed" -> {
                var offsets = admin.listConsumerGroupOffsets(options.need("--group")).partitionsToOffsetAndMetadata();
                offsets.get().forEach((at, offset) -> Output.event("offset", "topic", at.topic(),
                        "partition", at.partition(), "offset", offset.offset()));
            }
            default -> throw new IllegalArgumentException("unknown command: " + command);
        }
    }

    private static void topic(Options options, Admin admin) throws Exception {
        var topic = admin.describeTopics(List.of(options.need("--topic"))).all().get().get(options.need("--topic"));
        var partitions = topic.partitions().stream()
                .map(p -> Map.of("partition", p.partition(), "leader", p.leader() == null ? -1 : p.leader().id(),
                        "replicas", p.replicas().stream().map(Node::id).toList(),
                        "isr", p.isr().stream().map(Node::id).toList()))
                .toList();
        Output.event("topic", "name", topic.name(), "partitions", partitions);
    }

    private static void cluster(Admin admin) throws Exception {
        var cluster = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
        var nodes = cluster.nodes().get().stream()
                .map(node -> Map.<String, Object>of("id", node.id(), "host", node.host(), "port", node.port()))
                .toList();
        Node controller = cluster.controller().get();
        Output.event("cluster", "id", cluster.clusterId().get(), "controller", controller == null ? -1 : controller.id(),
                "nodes", nodes, "authorizedOperations", List.of());
    }
}
