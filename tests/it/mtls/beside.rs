//! Certificates beside a login by SASL, which a gateway with an authority of its own wants of everybody: the login is good as long as
//! they are.

use super::*;
use crate::support::product::Partner;
use crate::support::wire::{bytes, request, string};

/// Logs in with a secret, whether somebody has on this connection or not.
fn log_in(stream: &mut Stream, partner: &Partner) -> Option<()> {
    let secret = format!("\0{}\0{}", partner.username, partner.secret);
    ask(stream, &request(17, 1, &string("PLAIN")))?;
    let answer = ask(stream, &request(36, 0, &bytes(secret.as_bytes())))?;
    // What follows the correlation id is the error.
    (answer[4..6] == [0, 0]).then_some(())
}

fn logged_in(entrance: &Entrance, config: &Arc<ClientConfig>, partner: &Partner) -> Option<Stream> {
    let mut stream = open(([127, 0, 0, 1], entrance.product.port), config);
    log_in(&mut stream, partner)?;
    Some(stream)
}

#[test]
fn a_login_by_sasl_ends_with_the_certificate_beside_it() {
    let backing = unique("beside");
    Cluster::shared().create_topic(&backing, 1);
    let (first, next) = (Authority::new(), Authority::new());
    let zone = manifest("acme", &[("orders", &backing, "WRITE")]);
    let entrance = Entrance::start_with(Cluster::shared(), &[("acme.yaml", &zone)], Some(&first));
    entrance.product.wait_for_status("acme", "READY");
    let partner = entrance.product.partner("acme");
    let ends = OffsetDateTime::now_utc() + 20.seconds();
    let brief = first.issue_client("brief", "brief", |params| params.not_after = ends);
    let due = Instant::now() + Duration::from_secs(20);
    let config =
        |authority: &Authority, name: &str| entrance.config(&authority.issue_client(name, name, |_| {}));
    let (lost, kept) = (config(&first, "lost"), config(&first, "kept"));
    let enter = |config: &Arc<ClientConfig>| logged_in(&entrance, config, &partner);
    let of_brief = watched(enter(&entrance.config(&brief)).expect("it is let in"));
    let of_kept = watched(enter(&kept).expect("it is let in"));
    let mut of_lost = enter(&lost).expect("it is let in");
    log_in(&mut of_lost, &partner).expect("it is let in again");
    let of_lost = watched(of_lost);
    // A real client, with both.
    let by_certificate = entrance.by_port(&first.file("kept"), false);
    let connection = Connection { tls: by_certificate.tls, ..partner.connection() };
    assert!(!is_refused(Client::Librdkafka, &connection), "{}", entrance.product.transcript());

    std::fs::write(entrance.authority.file("revoked"), print_of(&first, "lost") + "\n").unwrap();
    cut(of_lost, Instant::now(), "revoked at the gateway, beside SASL");
    assert!(enter(&lost).is_none());

    cut(of_brief, due, "the certificate's end, beside SASL");

    assert!(!of_kept.is_finished(), "what concerns others cuts nobody");
    let file = entrance.authority.file("clients");
    std::fs::copy(next.certificate(), file.with_extension("next")).unwrap();
    std::fs::rename(file.with_extension("next"), &file).unwrap();
    cut(of_kept, Instant::now(), "another authority, beside SASL");
    assert!(enter(&kept).is_none());
    assert!(enter(&config(&next, "new")).is_some());
}
