//! Brokers learn of users and ACLs one after another: none is left behind, and one that is gone is not waited for.

use std::thread;
use std::time::{Duration, Instant};

use super::{ADMIN, Cluster, Controller, Failures, names, security_by, unique, zone};

/// What one broker lags behind.
const LAG: Duration = Duration::from_secs(3);

#[test]
fn what_is_given_is_known_to_every_broker_that_lives_before_it_counts() {
    let cluster = Cluster::private(3);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let name = unique("lagging");
    let run = |controller: &mut Controller, topics: &[&str]| {
        let zones = [zone(&name, topics)];
        let started = Instant::now();
        let failures = runtime.block_on(controller.run(&zones, &names(&zones)));
        (failures, started.elapsed())
    };
    let mut controller = {
        let _inside = runtime.enter();
        Controller::new(cluster.sasl_bootstrap(), ADMIN)
    };
    thread::scope(|scope| {
        cluster.broker(3).pause();
        scope.spawn(|| {
            thread::sleep(LAG);
            cluster.broker(3).resume();
        });
        let (failures, took) = run(&mut controller, &["READ orders-v1"]);
        assert_eq!(failures, Failures::new());
        assert!(
            took > LAG.mul_f64(0.9),
            "one broker knew nothing when it was said to be done, after {took:?}"
        );
    });
    // It lives for the others until its session is over.
    cluster.broker(3).kill();
    let (failures, took) = run(&mut controller, &["READ orders-v1", "WRITE returns-v1"]);
    assert_eq!(failures, Failures::new(), "after {took:?}");
}

/// A broker lists a user that it does not let in: here since its listener takes no such login.
#[tokio::test]
async fn a_principal_counts_once_it_has_logged_in_and_not_since_it_is_listed() {
    let only = "listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256";
    let cluster = Cluster::private_with(1, &[only]);
    let zones = [zone(&unique("listed"), &["READ orders-v1"])];
    // Its principals would log in by SCRAM-SHA-512.
    let mut controller = Controller::with(cluster.sasl_bootstrap(), security_by("PLAIN", ADMIN));
    let failures = controller.run(&zones, &names(&zones)).await;
    let cause = &failures[&zones[0].name];
    assert!(cause.contains("does not offer SCRAM-SHA-512, only PLAIN, SCRAM-SHA-256"), "{cause}");
    assert_eq!(controller.steps(&zones, &names(&zones)).await, vec![], "and yet everything is listed");
    // By the other mechanism they get in.
    let mut controller = Controller::with(cluster.sasl_bootstrap(), security_by("SCRAM-SHA-256", ADMIN));
    let zones = [zone(&unique("listed"), &["READ orders-v1"])];
    assert_eq!(controller.run(&zones, &names(&zones)).await, Failures::new());
}
