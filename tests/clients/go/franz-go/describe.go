package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"partner-zones/clients/grammar"
)

// administer runs ask with an admin client and the command's deadline.
func administer(options grammar.Options, ask func(context.Context, *kadm.Client) error) error {
	client, err := kgo.NewClient(settings(options)...)
	if err != nil {
		return err
	}
	defer client.Close()
	limited, cancel := context.WithTimeout(context.Background(), options.Timeout())
	defer cancel()
	return ask(limited, kadm.NewClient(client))
}

func listTopics(options grammar.Options) error {
	return administer(options, func(limited context.Context, admin *kadm.Client) error {
		topics, err := admin.ListTopics(limited)
		for _, topic := range topics.Sorted() {
			grammar.Event("topic", grammar.Fields{"name": topic.Topic})
		}
		return err
	})
}

func listGroups(options grammar.Options) error {
	return administer(options, func(limited context.Context, admin *kadm.Client) error {
		groups, err := admin.ListGroups(limited)
		for _, group := range groups.Sorted() {
			grammar.Event("group", grammar.Fields{"group": group.Group, "state": group.State})
		}
		return err
	})
}

func describeTopic(options grammar.Options) error {
	return administer(options, func(limited context.Context, admin *kadm.Client) error {
		topics, err := admin.ListTopics(limited, options.Need("--topic"))
		if err != nil {
			return err
		}
		topic := topics[options.Need("--topic")]
		if topic.Err != nil {
			return topic.Err
		}
		partitions := []grammar.Fields{}
		for _, partition := range topic.Partitions.Sorted() {
			partitions = append(partitions, grammar.Fields{"partition": partition.Partition,
				"leader": partition.Leader, "replicas": partition.Replicas, "isr": partition.ISR})
		}
		grammar.Event("topic", grammar.Fields{"name": topic.Topic, "id": topic.ID.String(), "partitions": partitions})
		return nil
	})
}

func describeCluster(options grammar.Options) error {
	return administer(options, func(limited context.Context, admin *kadm.Client) error {
		cluster, err := admin.BrokerMetadata(limited)
		if err != nil {
			return err
		}
		nodes := []grammar.Fields{}
		for _, node := range cluster.Brokers {
			nodes = append(nodes, grammar.Fields{"id": node.NodeID, "host": node.Host, "port": node.Port})
		}
		grammar.Event("cluster", grammar.Fields{"id": cluster.Cluster, "controller": cluster.Controller, "nodes": nodes,
			"authorizedOperations": []string{}})
		return nil
	})
}

func committed(options grammar.Options) error {
	return administer(options, func(limited context.Context, admin *kadm.Client) error {
		offsets, err := admin.FetchOffsets(limited, options.Need("--group"))
		for _, offset := range offsets.Sorted() {
			grammar.Event("offset", grammar.Fields{"topic": offset.Topic, "partition": offset.Partition, "offset": offset.At})
		}
		return err
	})
}
