//! A request whose records get headers on their way.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::TopicProduceResponse;

use super::{Mapped, refused_partition, show};
use crate::gateway::api::{Outcome, Refusal};
use crate::gateway::headers::{Adding, Tally};
use crate::kafka::records::{Counting, RecordsError, Room};

impl Mapped {
    /// The request with its records edited. Partitions whose records cannot be edited are taken out of it and answered here: as a
    /// whole, for a producer counts its records, and what is left out would be a gap.
    pub(super) fn edited(mut self, adding: &Adding) -> Result<(Outcome, Tally), Refusal> {
        let (mut room, mut tally) = (adding.room(), Tally::default());
        for mut topic in std::mem::take(&mut self.request.topic_data) {
            self.edit(&mut topic, adding, &mut room, &mut tally);
            if !topic.partition_data.is_empty() {
                self.request.topic_data.push(topic);
            }
        }
        Ok((self.send()?, tally))
    }

    fn edit(&mut self, topic: &mut TopicProduceData, adding: &Adding, room: &mut Room, tally: &mut Tally) {
        let (mut refused, mut sent) = (Vec::new(), Counting::default());
        topic.partition_data.retain_mut(|partition| match edit(partition, adding, room, &mut sent) {
            Ok(changed) => {
                tally.changed += changed;
                true
            }
            Err(cause) => {
                tracing::debug!(%cause, "records of a partner cannot be edited and are refused");
                tally.refused.push(cause);
                refused.push(refused_partition(partition.index, code(cause)));
                false
            }
        });
        self.count(topic, sent.take());
        let mut answer = TopicProduceResponse::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_partition_responses(refused);
        if !answer.partition_responses.is_empty() && show(self.version, &self.names, &mut answer) {
            self.refused.push(answer);
        }
    }
}

/// How many batches were changed. What passes is counted as it came.
fn edit(
    partition: &mut PartitionProduceData,
    adding: &Adding,
    room: &mut Room,
    sent: &mut Counting,
) -> Result<usize, RecordsError> {
    let Some(records) = &mut partition.records else { return Ok(0) };
    let edited = adding.edit(records, room)?;
    sent.field(records);
    *records = edited.records;
    Ok(edited.changed)
}

/// What a broker says to such records. A producer sends damaged ones again, splits large ones, and gives up on others.
fn code(cause: RecordsError) -> ResponseError {
    match cause {
        RecordsError::Checksum => ResponseError::CorruptMessage,
        RecordsError::TooLarge | RecordsError::Exhausted => ResponseError::MessageTooLarge,
        RecordsError::Malformed(_)
        | RecordsError::OldFormat(_)
        | RecordsError::UnknownFormat(_)
        | RecordsError::UnknownCodec(_)
        | RecordsError::Compression(_) => ResponseError::InvalidRecord,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_protocol::messages::produce_response::PartitionProduceResponse;
    use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

    use super::*;
    use crate::gateway::api::fixture::{Partner, Read, Write, real_id, topic};
    use crate::gateway::api::produce::{BY_ID, VERSIONS, handle};
    use crate::gateway::editing::AT_ONCE;
    use crate::gateway::headers;
    use crate::kafka::codec;
    use crate::kafka::records::{Codec, NewRecord, Reader, batches, build, sample};
    use crate::zone::{AddHeader, Headers, Volume};

    fn partner() -> Partner {
        let header = |key: &str, value: &str, override_if_exists| AddHeader {
            key: key.to_owned(),
            value: value.parse().unwrap(),
            override_if_exists,
        };
        let add_on_produce =
            vec![header("from", "{{user}}/{{clientId}}", true), header("trace", "ours", false)];
        let headers = Headers { add_on_produce, ..Headers::default() };
        Partner::with_headers(&[("w", "b", Write), ("ro", "b2", Read)], headers)
    }

    fn batch() -> Bytes {
        let header = |key: &'static str| (key.into(), Some("theirs".into()));
        let one = NewRecord {
            headers: vec![header("from"), header("trace"), header("from")],
            ..NewRecord::default()
        };
        build(&[one, NewRecord::default()], Codec::Lz4, 1).unwrap()
    }

    fn request(partner: &Partner, version: i16, acks: i16, records: &[Option<Bytes>]) -> ProduceRequest {
        let partitions = records.iter().zip(0..).map(|(records, index)| {
            PartitionProduceData::default().with_index(index).with_records(records.clone())
        });
        let data = TopicProduceData::default().with_partition_data(partitions.collect());
        let ids = partner.view.by_alias("w").and_then(|topic| topic.ids).unwrap();
        let data =
            if version < BY_ID { data.with_name(topic("w")) } else { data.with_topic_id(ids.synthetic) };
        let request = ProduceRequest::default().with_transactional_id(None);
        request.with_acks(acks).with_topic_data(vec![data])
    }

    fn headers(records: &Bytes) -> Vec<Vec<(String, String)>> {
        let batch = batches(records).next().unwrap().unwrap();
        let plain = batch.decompressed(&headers::room()).unwrap();
        let mut reader = Reader::new(&plain);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let of = |_| {
            let record = reader.record().unwrap();
            let header = record.headers().map(Result::unwrap);
            header.map(|it| (text(it.key), text(it.value.unwrap_or_default()))).collect()
        };
        (0..batch.records()).map(of).collect()
    }

    #[test]
    fn every_record_gets_its_headers_and_what_cannot_be_edited_is_answered_at_every_version() {
        let partner = partner();
        let damaged = |at: usize| {
            let mut bytes = batch().to_vec();
            bytes[at] ^= 1;
            Some(Bytes::from(bytes))
        };
        let cut = Some(batch().slice(..70));
        let records = [Some(batch()), damaged(65), damaged(16), cut, None];
        for version in VERSIONS.first..=VERSIONS.last {
            let sent = partner.send(0, version, &request(&partner, version, -1, &records));
            let (sent, awaited) = sent.forwarded::<ProduceRequest>();
            let partitions = &sent.topic_data[0].partition_data;
            let indexes: Vec<_> = partitions.iter().map(|partition| partition.index).collect();
            assert_eq!(indexes, [0, 4], "v{version}: a broker refuses missing records in its own way");
            let usage = partner.usage();
            let volume = Volume { bytes: u64::try_from(batch().len()).unwrap(), records: 2 };
            assert_eq!((usage.topics["w"].produced, usage.total().produced), (volume, volume), "as it came");
            let expected = [
                &[("trace", "theirs"), ("from", "acme/app")][..],
                &[("from", "acme/app"), ("trace", "ours")],
            ];
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let expected: Vec<Vec<_>> = expected.iter().map(|all| all.iter().map(owned).collect()).collect();
            assert_eq!(headers(partitions[0].records.as_ref().unwrap()), expected);

            let partition =
                |index| PartitionProduceResponse::default().with_index(index).with_base_offset(100);
            let told =
                TopicProduceResponse::default().with_partition_responses(vec![partition(0), partition(4)]);
            let told =
                if version < BY_ID { told.with_name(topic("b")) } else { told.with_topic_id(real_id("b")) };
            let answer: ProduceResponse =
                partner.receive(awaited, &ProduceResponse::default().with_responses(vec![told]));
            assert_eq!(answer.responses.len(), 1, "v{version}: a topic is there once");
            let codes: Vec<_> =
                answer.responses[0].partition_responses.iter().map(|it| (it.index, it.error_code)).collect();
            assert_eq!(codes, [(0, 0), (4, 0), (1, 2), (2, 87), (3, 87)], "v{version}");
        }
    }

    #[test]
    fn a_request_of_which_nothing_is_left_does_not_reach_the_broker() {
        let partner = partner();
        let cut = [Some(batch().slice(..70))];
        let answer = partner.send(0, 9, &request(&partner, 9, 1, &cut)).answered::<ProduceResponse>();
        assert_eq!(answer.responses[0].name, topic("w"));
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 87);
        let outcome = partner.send(0, 9, &request(&partner, 9, 0, &cut)).outcome;
        assert!(matches!(outcome, Outcome::ForwardUnanswered { body: None, then_close: true }));
    }

    /// A batch of one block that says it becomes 16 MiB, and has a byte; its checksum is right.
    fn claims_much() -> Bytes {
        let one = build(&[NewRecord::default()], Codec::Snappy, 1).unwrap();
        let mut bytes = [&one[..61], &[0x80, 0x80, 0x80, 0x08, 0xff]].concat();
        let length = i32::try_from(bytes.len() - 12).unwrap();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        sample::seal(&mut bytes);
        bytes.into()
    }

    #[test]
    fn what_cannot_be_read_leaves_less_room_until_nothing_is_looked_into() {
        let partner = partner();
        let mut records = vec![Some(claims_much()); 8];
        records.push(Some(batch()));
        let request = request(&partner, 9, 1, &records);
        let answer = partner.send(0, 9, &request).answered::<ProduceResponse>();
        let codes: Vec<_> = answer.responses[0].partition_responses.iter().map(|it| it.error_code).collect();
        assert_eq!(codes, [87, 87, 87, 87, 87, 87, 10, 10, 10]);
        let Outcome::Edit { bytes, .. } =
            handle(&partner.exchange(9), codec::encode(&request, 9).unwrap()).unwrap()
        else {
            panic!("not edited")
        };
        assert!(bytes > AT_ONCE, "other connections do not wait for it");
    }

    #[test]
    fn what_becomes_too_large_is_answered_as_a_broker_answers_it() {
        let record = NewRecord { value: Some(vec![0; 33 << 20].into()), ..NewRecord::default() };
        let large = build(&[record], Codec::Zstd, 1).unwrap();
        let partner = partner();
        let sent = partner.send(0, 9, &request(&partner, 9, 1, &[Some(large), Some(batch())]));
        let (sent, awaited) = sent.forwarded::<ProduceRequest>();
        assert_eq!(sent.topic_data[0].partition_data.len(), 1);
        let answer: ProduceResponse = partner.receive(awaited, &ProduceResponse::default());
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 10);
    }
}
