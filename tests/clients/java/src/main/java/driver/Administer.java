package driver;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConsumerGroupsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;

/** Groups and settings, and what only an administrator may do. */
final class Administer {
    private Administer() {}

    /** One call that answers nothing; `--topic` says on what. */
    private interface Call {
        void on(Admin admin, String topic) throws Exception;
    }

    static void group(Options options) throws Exception {
        String name = options.need("--group");
        try (Admin admin = Describe.admin(options)) {
            var asked = new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true);
            var group = admin.describeConsumerGroups(List.of(name), asked).all().get().get(name);
            var order = Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition);
            var members = group.members().stream()
                    .map(member -> Map.<String, Object>of("host", member.host(), "partitions",
                            Output.partitions(member.assignment().topicPartitions().stream().sorted(order).toList())))
                    .toList();
            Output.event("group", "group", name, "state", group.groupState().name(), "members", members,
                    "authorizedOperations", Describe.names(group.authorizedOperations()));
        }
    }

    static void deleteGroup(Options options) throws Exception {
        try (Admin admin = Describe.admin(options)) {
            admin.deleteConsumerGroups(List.of(options.need("--group"))).all().get();
        }
    }

    static void configs(Options options) throws Exception {
        try (Admin admin = Describe.admin(options)) {
            var topic = topic(options.need("--topic"));
            for (ConfigEntry entry : admin.describeConfigs(List.of(topic)).all().get().get(topic).entries()) {
                Output.event("config", "name", entry.name(), "value", entry.value());
            }
        }
    }

    /** What only an administrator may do, in the least harmful form. */
    static void change(String command, Options options) throws Exception {
        Call call = switch (command) {
            case "create-topic" -> (admin, name) -> admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get();
            case "delete-topic" -> (admin, name) -> admin.deleteTopics(List.of(name)).all().get();
            case "create-partitions" ->
                (admin, name) -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(9))).all().get();
            case "delete-records" -> (admin, name) -> admin.deleteRecords(
                            Map.of(new TopicPartition(name, 0), RecordsToDelete.beforeOffset(1))).all().get();
            case "alter-configs" -> (admin, name) -> admin.incrementalAlterConfigs(Map.of(topic(name), List.of(
                            new AlterConfigOp(new ConfigEntry("retention.ms", "1000"), AlterConfigOp.OpType.SET)))).all().get();
            case "describe-acls" -> (admin, name) -> admin.describeAcls(AclBindingFilter.ANY).values().get();
            default -> throw new IllegalArgumentException("unknown command: " + command);
        };
        try (Admin admin = Describe.admin(options)) {
            call.on(admin, options.need("--topic"));
        }
    }

    private static ConfigResource topic(String name) {
        return new ConfigResource(ConfigResource.Type.TOPIC, name);
    }
}
