package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"partner-zones/clients/grammar"
)

var balancers = map[string]kgo.GroupBalancer{"eager": kgo.RangeBalancer(), "cooperative": kgo.CooperativeStickyBalancer()}

// refused are errors that waiting does not help against.
var refused = map[int16]bool{
	kerr.TopicAuthorizationFailed.Code: true, kerr.GroupAuthorizationFailed.Code: true,
	kerr.ClusterAuthorizationFailed.Code: true, kerr.SaslAuthenticationFailed.Code: true,
	kerr.TransactionalIDAuthorizationFailed.Code: true,
}

func consume(options grammar.Options) error {
	reading := grammar.NewReading(options)
	event := func(kind string) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			if kind == "assigned" {
				reading.Assigned()
			}
			grammar.Event(kind, grammar.Fields{"partitions": grammar.Partitions(partitions)})
		}
	}
	member, err := membership(options)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(settings(options, append(member,
		kgo.ConsumeTopics(options.All("--topic")...),
		kgo.OnPartitionsAssigned(event("assigned")),
		kgo.OnPartitionsRevoked(event("revoked")),
		kgo.OnPartitionsLost(event("lost")),
	)...)...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	return read(options, client, reading)
}

// membership is what makes a client a member of --group.
func membership(options grammar.Options) ([]kgo.Opt, error) {
	member := append(reader(options),
		kgo.ConsumerGroup(options.Need("--group")),
		kgo.DisableAutoCommit(),
		// The default of three seconds is how long a rebalance takes.
		kgo.HeartbeatInterval(500*time.Millisecond),
	)
	protocol := options.Get("--protocol", "eager")
	if protocol == "consumer" {
		//lint:ignore SA1029 the client's own key
		opted := context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true)
		return append(member, kgo.WithContext(opted)), nil
	}
	return append(member, kgo.Balancers(balancers[protocol])), nil
}

// reader is how records are read.
func reader(options grammar.Options) []kgo.Opt {
	start := kgo.NewOffset().AtStart()
	if options.Get("--from", "earliest") == "latest" {
		start = kgo.NewOffset().AtEnd()
	}
	isolation := kgo.ReadUncommitted()
	if options.Get("--isolation", "") == "read_committed" {
		isolation = kgo.ReadCommitted()
	}
	return []kgo.Opt{kgo.ConsumeResetOffset(start), kgo.FetchIsolationLevel(isolation), kgo.FetchMaxWait(500 * time.Millisecond)}
}

func assign(options grammar.Options) error {
	reading := grammar.NewReading(options)
	from := kgo.NewOffset().AtStart()
	switch options.Get("--from", "earliest") {
	case "earliest":
	case "latest":
		from = kgo.NewOffset().AtEnd()
	default:
		from = kgo.NewOffset().At(options.Number("--from", 0))
	}
	places := map[string]map[int32]kgo.Offset{}
	for _, topic := range options.All("--topic") {
		places[topic] = map[int32]kgo.Offset{}
		for _, partition := range options.Partitions() {
			places[topic][partition] = from
		}
	}
	client, err := kgo.NewClient(settings(options, append(reader(options), kgo.ConsumePartitions(places))...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	reading.Assigned()
	return read(options, client, reading)
}

func read(options grammar.Options, client *kgo.Client, reading *grammar.Reading) error {
	last := ""
	for !reading.Over() {
		fetches := poll(client.PollRecords, int(min(reading.Left, 500)))
		for _, failed := range fetches.Errors() {
			// The same trouble over and over is one event.
			if failed.Err.Error() != last {
				grammar.Error(code(failed.Err), failed.Err, nil)
			}
			last = failed.Err.Error()
			if refused[code(failed.Err)] && !options.Has("--until-stdin-closes") {
				return nil
			}
		}
		records := fetches.Records()
		for _, record := range records {
			show(record)
			reading.Shown()
		}
		if options.Has("--commit") && len(records) > 0 {
			commit(client, records)
		}
	}
	return nil
}

// poll waits a moment for records; that none came is no error.
func poll(poll func(context.Context, int) kgo.Fetches, most int) kgo.Fetches {
	moment, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fetches := poll(moment, most)
	if fetches.Err0() != nil && moment.Err() != nil {
		return nil
	}
	return fetches
}

func commit(client *kgo.Client, records []*kgo.Record) {
	if err := client.CommitRecords(context.Background(), records...); err != nil {
		grammar.Error(code(err), err, nil)
		return
	}
	next := map[grammar.Partition]int64{}
	for _, record := range records {
		next[grammar.Partition{Topic: record.Topic, Partition: record.Partition}] = record.Offset + 1
	}
	offsets := []grammar.Offset{}
	for partition, offset := range next {
		offsets = append(offsets, grammar.Offset{Partition: partition, Offset: offset})
	}
	grammar.Event("committed", grammar.Fields{"offsets": offsets})
}

func show(record *kgo.Record) {
	var headers []grammar.Header
	for _, header := range record.Headers {
		headers = append(headers, grammar.Header{Name: header.Key, Value: header.Value})
	}
	grammar.Record(record.Topic, record.Partition, record.Offset, record.Timestamp, record.Key, record.Value, headers)
}
