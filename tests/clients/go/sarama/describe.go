package main

import (
	"maps"
	"net"
	"slices"
	"strconv"

	"github.com/IBM/sarama"
	"partner-zones/clients/grammar"
)

// administer runs ask with an admin client.
func administer(options grammar.Options, ask func(sarama.ClusterAdmin) error) error {
	config := configuration(options)
	config.Admin.Timeout = options.Timeout()
	admin, err := sarama.NewClusterAdmin(brokers(options), config)
	if err != nil {
		return err
	}
	defer admin.Close()
	return ask(admin)
}

func listTopics(options grammar.Options) error {
	return administer(options, func(admin sarama.ClusterAdmin) error {
		topics, err := admin.ListTopics()
		for _, name := range slices.Sorted(maps.Keys(topics)) {
			grammar.Event("topic", grammar.Fields{"name": name})
		}
		return err
	})
}

func listGroups(options grammar.Options) error {
	return administer(options, func(admin sarama.ClusterAdmin) error {
		groups, err := admin.ListConsumerGroups()
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			grammar.Event("group", grammar.Fields{"group": name})
		}
		return err
	})
}

func describeTopic(options grammar.Options) error {
	return administer(options, func(admin sarama.ClusterAdmin) error {
		topics, err := admin.DescribeTopics(options.All("--topic"))
		if err != nil {
			return err
		}
		for _, topic := range topics {
			if topic.Err != sarama.ErrNoError {
				return topic.Err
			}
			partitions := []grammar.Fields{}
			slices.SortFunc(topic.Partitions, func(a, b *sarama.PartitionMetadata) int { return int(a.ID - b.ID) })
			for _, partition := range topic.Partitions {
				partitions = append(partitions, grammar.Fields{"partition": partition.ID,
					"leader": partition.Leader, "replicas": partition.Replicas, "isr": partition.Isr})
			}
			grammar.Event("topic", grammar.Fields{"name": topic.Name, "id": topic.Uuid.String(), "partitions": partitions})
		}
		return nil
	})
}

func describeCluster(options grammar.Options) error {
	return administer(options, func(admin sarama.ClusterAdmin) error {
		brokers, controller, err := admin.DescribeCluster()
		if err != nil {
			return err
		}
		nodes := []grammar.Fields{}
		for _, broker := range brokers {
			host, text, err := net.SplitHostPort(broker.Addr())
			if err != nil {
				return err
			}
			port, err := strconv.Atoi(text)
			if err != nil {
				return err
			}
			nodes = append(nodes, grammar.Fields{"id": broker.ID(), "host": host, "port": port})
		}
		grammar.Event("cluster", grammar.Fields{"id": "", "controller": controller, "nodes": nodes,
			"authorizedOperations": []string{}})
		return nil
	})
}

func committed(options grammar.Options) error {
	return administer(options, func(admin sarama.ClusterAdmin) error {
		offsets, err := admin.ListConsumerGroupOffsets(options.Need("--group"), nil)
		if err != nil {
			return err
		}
		for topic, partitions := range offsets.Blocks {
			for partition, block := range partitions {
				if block.Err != sarama.ErrNoError {
					grammar.Error(code(block.Err), block.Err, nil)
				} else if block.Offset >= 0 {
					grammar.Event("offset", grammar.Fields{"topic": topic, "partition": partition, "offset": block.Offset})
				}
			}
		}
		return nil
	})
}
