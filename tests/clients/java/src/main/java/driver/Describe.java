package driver;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;

/** What the admin client can see. */
final class Describe {
    private Describe() {}

    static void topics(Options options) throws Exception {
        try (Admin admin = admin(options)) {
            for (String name : new TreeSet<>(admin.listTopics().names().get())) {
                Output.event("topic", "name", name);
            }
        }
    }

    static void groups(Options options) throws Exception {
        try (Admin admin = admin(options)) {
            for (var group : admin.listGroups().all().get()) {
                Output.event("group", "group", group.groupId(),
                        "state", group.groupState().map(Object::toString).orElse(null));
            }
        }
    }

    static void topic(Options options) throws Exception {
        try (Admin admin = admin(options)) {
            var asked = new DescribeTopicsOptions().includeAuthorizedOperations(true);
            var topic = admin.describeTopics(List.of(options.need("--topic")), asked)
                    .allTopicNames().get().get(options.need("--topic"));
            var partitions = topic.partitions().stream()
                    .map(p -> Map.of(
                            "partition", p.partition(),
                            "leader", p.leader() == null ? -1 : p.leader().id(),
                            "replicas", ids(p.replicas()),
                            "isr", ids(p.isr())))
                    .toList();
            Output.event("topic", "name", topic.name(), "id", topic.topicId().toString(), "partitions", partitions,
                    "authorizedOperations", names(topic.authorizedOperations()));
        }
    }

    static void cluster(Options options) throws Exception {
        try (Admin admin = admin(options)) {
            var cluster = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
            var nodes = cluster.nodes().get().stream()
                    .map(node -> Map.<String, Object>of("id", node.id(), "host", node.host(), "port", node.port()))
                    .toList();
            Node controller = cluster.controller().get();
            Output.event("cluster", "id", cluster.clusterId().get(),
                    "controller", controller == null ? -1 : controller.id(), "nodes", nodes,
                    "authorizedOperations", names(cluster.authorizedOperations().get()));
        }
    }

    static void transactions(Options options) throws Exception {
        try (Admin admin = admin(options)) {
            var asked = new ListTransactionsOptions();
            if (options.has("--pattern")) {
                asked.filterOnTransactionalIdPattern(options.get("--pattern"));
            }
            for (var listed : admin.listTransactions(asked).all().get()) {
                Output.event("transactional-id", "id", listed.transactionalId(), "state", listed.state().toString());
            }
        }
    }

    static void transaction(Options options) throws Exception {
        String id = options.need("--transactional-id");
        try (Admin admin = admin(options)) {
            var described = admin.describeTransactions(List.of(id)).description(id).get();
            Output.event("transactional-id", "id", id, "state", described.state().toString(),
                    "partitions", Output.partitions(described.topicPartitions()));
        }
    }

    static void committed(Options options) throws Exception {
        try (Admin admin = admin(options)) {
            String group = options.need("--group");
            var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            for (Map.Entry<TopicPartition, OffsetAndMetadata> entry : offsets.entrySet()) {
                if (entry.getValue() != null) {
                    Output.event("offset", "topic", entry.getKey().topic(), "partition", entry.getKey().partition(),
                            "offset", entry.getValue().offset());
                }
            }
        }
    }

    static Admin admin(Options options) throws IOException {
        return Admin.create(options.client(Map.of(
                "default.api.timeout.ms", options.timeout(), "request.timeout.ms", options.timeout())));
    }

    private static List<Integer> ids(Collection<Node> nodes) {
        return nodes.stream().map(Node::id).toList();
    }

    static List<String> names(Collection<AclOperation> operations) {
        return operations == null ? List.of() : operations.stream().map(Enum::name).sorted().toList();
    }
}
