//! A response out of whose records headers are taken.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::PartitionData;

use super::Reply;
use super::session::Shown;
use crate::gateway::api::{Refusal, body};
use crate::gateway::editing::{self, AT_ONCE};
use crate::gateway::headers::{self, Tally};
use crate::kafka::records::{self, Counted, RecordsError, Room};
use crate::zone::Headers;

/// A body without the headers that the partner must not see.
#[derive(Debug)]
pub(crate) struct Hidden {
    pub(crate) body: Bytes,
    pub(crate) tally: Tally,
}

/// What makes it.
pub(crate) type Hiding = Box<dyn FnOnce() -> Result<Hidden, Refusal> + Send>;

impl Reply {
    /// Whether headers are taken out of the records: no response passes before that.
    pub(crate) fn hides(&self) -> bool {
        !self.session.headers().remove_on_consume.is_empty()
    }

    /// The work of mapping a whole body, of which [`Reply::begin`] has taken note, without the headers that the partner must not see;
    /// and for how many bytes it counts.
    pub(crate) fn hiding(self: Box<Self>, body: Bytes, room: Room) -> Result<(usize, Hiding), Refusal> {
        let bytes = body.len();
        if bytes > AT_ONCE {
            let work: Hiding = Box::new(move || self.hidden(self.decoded(body)?, room));
            return Ok((bytes, work));
        }
        let response = self.decoded(body)?;
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        let weight = editing::weight(bytes, partitions.filter_map(|partition| partition.records.as_ref()));
        let work: Hiding = Box::new(move || self.hidden(response, room));
        Ok((weight, work))
    }

    pub(super) fn hidden(&self, mut response: FetchResponse, mut room: Room) -> Result<Hidden, Refusal> {
        let mut tally = Tally::default();
        for topic in &mut response.responses {
            let known = self.session.topic(&Shown::of(self.version, &topic.topic, topic.topic_id));
            for partition in &mut topic.partitions {
                let passed = match hide(partition, self.session.headers(), &mut room, &mut tally) {
                    Ok(passed) => passed,
                    Err(cause) => {
                        let place = |known| self.session.place(known, partition.partition_index, cause);
                        tally.unreadable.extend(known.map(place));
                        Counted::default()
                    }
                };
                self.consumed(known.map(|known| (known, passed)));
            }
        }
        Ok(Hidden { body: body::encode(&response, self.version)?, tally })
    }
}

/// What is behind a batch that cannot be read does not pass, and neither does that batch: a consumer first gets what is in front of
/// it, and then the error. Of the errors it is the one that every client tells its application. Java's asks again for ever, and
/// says so in its log alone, if the error is an unknown one.
///
/// What passes is counted as it came; what does not comes again, and counts then.
fn hide(
    partition: &mut PartitionData,
    policy: &Headers,
    room: &mut Room,
    tally: &mut Tally,
) -> Result<Counted, RecordsError> {
    let Some(records) = partition.records.take() else { return Ok(Counted::default()) };
    let (edited, cause) = match headers::hide(policy, &records, room) {
        Ok(edited) => (edited, None),
        Err(unreadable) => (unreadable.before, Some(unreadable.cause)),
    };
    tally.changed += edited.changed;
    // What a broker has cut off at the end counts as it does where no headers are removed.
    let passed = if cause.is_some() { edited.read } else { records.len() };
    let comes_next = !edited.records.is_empty() || cause == Some(RecordsError::Exhausted);
    partition.records = Some(edited.records);
    match cause.filter(|_| !comes_next) {
        None => Ok(records::count(records.get(..passed).unwrap_or_default())),
        Some(cause) => {
            partition.error_code = ResponseError::CorruptMessage.code();
            tally.refused.push(cause);
            Err(cause)
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::FetchRequest;
    use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
    use kafka_protocol::messages::fetch_response::FetchableTopicResponse;

    use super::*;
    use crate::gateway::api::Respond;
    use crate::gateway::api::fetch::{BY_ID, MAX_BYTES, MAX_HELD_BYTES, VERSIONS};
    use crate::gateway::api::fixture::{Awaited, Partner, Read, real_id, topic};
    use crate::kafka::codec;
    use crate::kafka::records::{Codec, NewRecord, batches, build};
    use crate::zone::Volume;

    fn hiding() -> Headers {
        Headers { remove_on_consume: vec!["internal-.*".parse().unwrap()], ..Headers::default() }
    }

    fn partner(headers: Headers) -> Partner {
        Partner::with_headers(&[("a", "b", Read)], headers)
    }

    fn batch() -> Bytes {
        let header = |key: &'static str| (key.into(), Some("a secret".into()));
        let record =
            NewRecord { headers: vec![header("internal-a"), header("trace")], ..NewRecord::default() };
        build(&[record], Codec::None, 1).unwrap()
    }

    /// A fetch of this session and epoch, of so many partitions.
    fn ask(
        partner: &Partner,
        version: i16,
        session: (i32, i32),
        partitions: usize,
    ) -> (FetchRequest, Awaited) {
        let id = partner.view.by_alias("a").unwrap().ids.unwrap().synthetic;
        let (name, id) = if version < BY_ID { (topic("a"), uuid::Uuid::nil()) } else { (topic(""), id) };
        let partitions =
            (0..).take(partitions).map(|at| FetchPartition::default().with_partition(at)).collect();
        let asked = FetchTopic::default().with_topic(name).with_topic_id(id).with_partitions(partitions);
        let (id, epoch) = session;
        let request = FetchRequest::default().with_session_id(id).with_session_epoch(epoch);
        partner.send(1, version, &request.with_max_bytes(i32::MAX).with_topics(vec![asked])).forwarded()
    }

    /// What a broker answers with these records.
    fn answer(version: i16, records: &[Bytes]) -> FetchResponse {
        let partitions = (0..).zip(records).map(|(at, records)| {
            PartitionData::default()
                .with_partition_index(at)
                .with_high_watermark(9)
                .with_records(Some(records.clone()))
        });
        let told = FetchableTopicResponse::default().with_partitions(partitions.collect());
        let told =
            if version < BY_ID { told.with_topic(topic("b")) } else { told.with_topic_id(real_id("b")) };
        let id = if version < 7 { 0 } else { 77 };
        FetchResponse::default().with_session_id(id).with_responses(vec![told])
    }

    /// The fetch as the broker sees it, and what the partner sees of records that the broker answers with.
    fn fetch(
        partner: &Partner,
        version: i16,
        session: (i32, i32),
        records: &[Bytes],
    ) -> (FetchRequest, FetchResponse) {
        let (sent, awaited) = ask(partner, version, session, records.len());
        (sent, partner.receive(awaited, &answer(version, records)))
    }

    fn damaged() -> Bytes {
        let mut damaged = batch().to_vec();
        *damaged.last_mut().unwrap() ^= 1;
        damaged.into()
    }

    fn holds(bytes: &Bytes, text: &str) -> bool {
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    }

    #[test]
    fn headers_are_taken_out_of_every_batch_at_every_version() {
        for version in VERSIONS.first..=VERSIONS.last {
            let partner = partner(hiding());
            let two = Bytes::from([batch(), batch(), batch().slice(..80)].concat());
            let (sent, seen) = fetch(&partner, version, (0, -1), &[two, Bytes::new()]);
            assert_eq!(sent.max_bytes, MAX_HELD_BYTES);
            let came = Volume { bytes: u64::try_from(2 * batch().len() + 80).unwrap(), records: 2 };
            assert_eq!(partner.usage().topics["a"].consumed, came, "as the broker sent it");
            let [first, second] = &seen.responses[0].partitions[..] else { panic!("two partitions") };
            let records = first.records.as_ref().unwrap();
            assert!(!holds(records, "internal-a") && holds(records, "trace"), "v{version}");
            assert_eq!(batches(records).count(), 2);
            assert_eq!(batches(records).map(|it| it.unwrap().bytes().len()).sum::<usize>(), records.len());
            assert_eq!((first.error_code, second.error_code), (0, 0));
            assert_eq!(second.records, Some(Bytes::new()));
        }
    }

    #[test]
    fn what_cannot_be_read_never_passes_and_what_is_in_front_of_it_comes_first() {
        let partner = partner(hiding());
        let behind = Bytes::from([batch(), damaged(), batch()].concat());
        let (_, seen) = fetch(&partner, 12, (0, -1), &[damaged(), behind, batch()]);
        let partitions = &seen.responses[0].partitions;
        let codes: Vec<_> = partitions.iter().map(|it| it.error_code).collect();
        assert_eq!(codes, [2, 0, 0]);
        let passed = Volume { bytes: u64::try_from(2 * batch().len()).unwrap(), records: 2 };
        assert_eq!(partner.usage().topics["a"].consumed, passed, "and nothing of what comes again");
        let counts: Vec<_> =
            partitions.iter().map(|it| batches(it.records.as_ref().unwrap()).count()).collect();
        assert_eq!(counts, [0, 1, 1]);
        assert!(partitions.iter().all(|it| !holds(it.records.as_ref().unwrap(), "internal-a")));
    }

    /// What becomes of a body in this room, and for how many bytes it counts.
    fn hidden(records: &[Bytes], room: Room) -> (usize, Hidden) {
        let (_, awaited) = ask(&partner(hiding()), 12, (0, -1), records.len());
        let Respond::Fetch(reply) = awaited.respond else { panic!("not a fetch") };
        let body = codec::encode(&answer(12, records), 12).unwrap();
        let (weight, work) = reply.hiding(body, room).unwrap();
        (weight, work().unwrap())
    }

    #[test]
    fn a_few_bytes_that_become_many_do_not_count_as_few() {
        let one = hidden(&[batch()], headers::room()).0;
        assert!((1..=AT_ONCE).contains(&one));
        assert_eq!(hidden(&[batch(), damaged()], headers::room()).0, usize::MAX);
        let record = NewRecord { value: Some(vec![0; 1 << 20].into()), ..NewRecord::default() };
        let zeros = build(&[record], Codec::Zstd, 1).unwrap();
        assert_eq!(hidden(&[zeros], headers::room()).0, usize::MAX);
    }

    #[test]
    fn a_session_follows_its_zone_from_the_next_request_on() {
        let mut partner = partner(Headers::default());
        let shows = |partner: &Partner, session| {
            let (sent, seen) = fetch(partner, 12, session, &[batch()]);
            assert_eq!(seen.error_code, 0);
            (sent.max_bytes, holds(seen.responses[0].partitions[0].records.as_ref().unwrap(), "internal-a"))
        };
        assert_eq!(shows(&partner, (0, 0)), (MAX_BYTES, true));
        partner.view = Partner::with_headers(&[("a", "b", Read)], hiding()).view;
        assert_eq!(shows(&partner, (77, 1)), (MAX_HELD_BYTES, false), "in the session of before");
        partner.view = Partner::with_headers(&[("a", "b", Read)], Headers::default()).view;
        assert_eq!(shows(&partner, (77, 2)), (MAX_BYTES, true));
    }
}
