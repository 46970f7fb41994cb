//! The audit log, read backwards.

use super::*;

async fn written() -> (Arc<MemoryStore>, Node, String) {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    for (kind, subject) in [
        ("zone.created", "zone/acme"),
        ("zone.created", "zone/acme-2"),
        ("credential.issued", "zone/acme"),
        ("zone.updated", "zone/beta"),
        ("controller.suspended", "controller/zone/acme"),
        ("controller.suspended", "controller/all"),
        ("zone.deleted", "zone/acme"),
    ] {
        let event = crate::store::event("n1", kind, subject, OffsetDateTime::UNIX_EPOCH, &json!({}));
        store.audit(event).await.unwrap();
    }
    // About whom it is stands beside its subject.
    let (kind, data) = ("logins.failed", json!({"zone": "guessed"}));
    let event = crate::store::event("n1", kind, "address/192.0.2.1", OffsetDateTime::UNIX_EPOCH, &data);
    store.audit(event).await.unwrap();
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    (store, node, viewer)
}

fn kinds(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|event| event["type"].as_str().unwrap().strip_prefix("partner-zones.").unwrap()).collect()
}

#[tokio::test]
async fn the_newest_event_comes_first_and_filters_are_about_a_zone_and_a_kind() {
    let (_store, node, viewer) = written().await;
    for (asked, wanted) in [
        (
            "",
            &[
                "logins.failed",
                "zone.deleted",
                "controller.suspended",
                "controller.suspended",
                "zone.updated",
                "credential.issued",
                "zone.created",
                "zone.created",
            ][..],
        ),
        ("zone=acme", &["zone.deleted", "controller.suspended", "credential.issued", "zone.created"]),
        ("zone=acme-2", &["zone.created"]),
        ("zone=acm", &[]),
        ("zone=guessed", &["logins.failed"]),
        ("zone=guess", &[]),
        ("type=zone", &["zone.deleted", "zone.updated", "zone.created", "zone.created"]),
        ("type=zone.created&zone=acme", &["zone.created"]),
        ("type=partner-zones.credential.issued", &["credential.issued"]),
        ("type=zon", &[]),
    ] {
        let (status, list) = node.get(&format!("/api/v1/audit?{asked}"), &viewer).await;
        assert_eq!((status, kinds(&list)), (StatusCode::OK, wanted.to_vec()), "{asked}");
        assert_eq!(list["nextPageToken"], Value::Null, "{asked}");
    }
    let (_, list) = node.get("/api/v1/audit?limit=1", &viewer).await;
    let event = &list["items"][0];
    assert_eq!((&event["specversion"], &event["subject"]), (&json!("1.0"), &json!("address/192.0.2.1")));
}

#[tokio::test]
async fn parts_of_the_log_are_the_whole_whatever_is_written_meanwhile() {
    let (store, node, viewer) = written().await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let (_, part) = node.get(&format!("/api/v1/audit?limit=3{token}"), &viewer).await;
        seen.extend(kinds(&part).into_iter().map(str::to_owned));
        let Some(next) = part["nextPageToken"].as_str() else { break };
        token = format!("&pageToken={next}");
        let event = crate::store::event("n1", "zone.later", "zone/z", OffsetDateTime::UNIX_EPOCH, &json!({}));
        store.audit(event).await.unwrap();
        assert!(seen.len() < 9, "it has no end: {seen:?}");
    }
    assert_eq!((seen.len(), &*seen[0], &*seen[7]), (8, "logins.failed", "zone.created"));
    assert!(!seen.contains(&"zone.later".to_owned()));
    for wrong in ["zone=a%20b", "kind=zone", "pageToken=x"] {
        let status = node.get(&format!("/api/v1/audit?{wrong}"), &viewer).await.0;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
