package driver;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConsumerGroupsOptions;
import org.apache.kafka.clients.admin.MemberAssignment;
import org.apache.kafka.clients.admin.MemberDescription;
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
            Output.event("group", "group", name, "state", group.groupState().name(), "type", group.type().name(),
                    "epoch", group.groupEpoch().orElse(null),
                    "members", group.members().stream().map(Administer::member).toList(),
                    "authorizedOperations", Describe.names(group.authorizedOperations()));
        }
    }

    private static Map<String, Object> member(MemberDescription member) {
        var shown = new HashMap<String, Object>(Map.of(
                "id", member.consumerId(), "host", member.host(), "partitions", partitions(member.assignment())));
        member.memberEpoch().ifPresent(epoch -> shown.put("epoch", epoch));
        member.targetAssignment().ifPresent(target -> shown.put("target", partitions(target)));
        return shown;
    }

    private static List<Map<String, Object>> partitions(MemberAssignment assignment) {
        var order = Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition);
        return Output.partitions(assignment.topicPartitions().stream().sorted(order).toList());
    }

    static void deleteGroup(Options options) throws Exception {
        try (Admin admin = Describe.admin(options)) {
            admin.deleteConsumerGroups(List.of(options.need("--group"))).all().get();
        }
    }

    static void deleteOffsets(Options options) throws Exception {
        var partition = new TopicPartition(options.need("--topic"), (int) options.number("--partition", 0));
        try (Admin admin = Describe.admin(options)) {
            admin.deleteConsumerGroupOffsets(options.need("--group"), Set.of(partition)).partitionResult(partition).get();
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
