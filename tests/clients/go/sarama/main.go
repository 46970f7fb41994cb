// sarama behind the grammar of ../../README.md.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
	"partner-zones/clients/grammar"
)

func main() {
	grammar.Run(map[string]func(grammar.Options) error{
		"produce":          produce,
		"consume":          consume,
		"assign":           assign,
		"transact":         transact,
		"list-topics":      listTopics,
		"list-groups":      listGroups,
		"describe-topic":   describeTopic,
		"describe-cluster": describeCluster,
		"committed":        committed,
	}, code)
}

// code is Kafka's number of an error.
func code(err error) int16 {
	var kafka sarama.KError
	switch {
	case errors.As(err, &kafka):
		return int16(kafka)
	case errors.Is(err, context.DeadlineExceeded):
		return int16(sarama.ErrRequestTimedOut)
	case errors.Is(err, sarama.ErrOutOfBrokers):
		return int16(sarama.ErrNetworkException)
	default:
		return -1
	}
}

// configuration is that of any client of this command.
func configuration(options grammar.Options) *sarama.Config {
	config := sarama.NewConfig()
	// What it speaks at most; brokers then say what they share.
	config.Version = sarama.MaxVersion
	config.Metadata.AllowAutoTopicCreation = false
	config.Producer.Return.Successes = true
	config.Producer.Retry.Max = 10
	config.Consumer.Return.Errors = true
	config.Consumer.MaxWaitTime = 500 * time.Millisecond
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	if options.Get("--from", "earliest") == "latest" {
		config.Consumer.Offsets.Initial = sarama.OffsetNewest
	}
	if options.Get("--isolation", "") == "read_committed" {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	// The default of three seconds is how long a rebalance takes.
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	if user, password, ok := options.Login(); ok {
		config.Net.SASL.Enable = true
		config.Net.SASL.User = user
		config.Net.SASL.Password = password
	}
	return config
}

func brokers(options grammar.Options) []string { return options.List("--bootstrap", "") }
