//! Whatever a partner sends, the connection ends, and soon.

use proptest::prelude::*;

use super::*;

/// Frames that parse, one after the other.
fn valid() -> Vec<u8> {
    [
        heartbeat(1),
        api_versions(2),
        produce(3, -1, "orders", 70_000),
        produce(4, 0, "orders", 10),
        heartbeat(5),
    ]
    .concat()
}

/// The relay's end when a partner sends these bytes and leaves, in front of a broker that reads and says nothing.
fn ends_with(bytes: &[u8]) -> Close {
    let soon = Duration::from_millis(5);
    let limits = Limits { drain_within: soon, buffered: 1 << 20, ..impatient() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let relayed = relay(limits, 64 << 10, async |ends: &mut Ends| {
            let (mut partner_in, mut partner_out) = split(&mut ends.partner);
            let sending = async {
                // It may have been cut off before.
                let _ = partner_out.write_all(bytes).await;
                let _ = partner_out.shutdown().await;
            };
            let mut answers = Vec::new();
            let mut sent = Vec::new();
            let reading = async {
                let _ = tokio::join!(partner_in.read_to_end(&mut answers), sending);
            };
            tokio::select! {
                () = reading => {}
                _ = ends.broker.read_to_end(&mut sent) => {}
            }
        });
        timeout(Duration::from_secs(5), relayed).await.expect("the connection is still open")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_end_the_connection(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        ends_with(&bytes);
    }

    #[test]
    fn frames_with_changed_bytes_end_the_connection(
        changes in proptest::collection::vec((0_usize..400, any::<u8>()), 1..6),
        cut in 0_usize..75_000,
    ) {
        let mut bytes = valid();
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.truncate(cut);
        ends_with(&bytes);
    }
}
