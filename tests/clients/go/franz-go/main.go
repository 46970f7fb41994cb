// franz-go behind the grammar of ../../README.md.
package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
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
	var kafka *kerr.Error
	switch {
	case errors.As(err, &kafka):
		return kafka.Code
	case errors.Is(err, context.DeadlineExceeded):
		return kerr.RequestTimedOut.Code
	default:
		return -1
	}
}

// settings are those of any client of this command.
func settings(options grammar.Options, more ...kgo.Opt) []kgo.Opt {
	all := []kgo.Opt{
		kgo.SeedBrokers(options.List("--bootstrap", "")...),
		kgo.RetryTimeout(options.Timeout()),
		kgo.ProducerLinger(0),
	}
	if user, password, ok := options.Login(); ok {
		all = append(all, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	}
	return append(all, more...)
}
