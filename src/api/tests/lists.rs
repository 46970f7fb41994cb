//! Lists: what is left out, in which order, and that parts of them are the whole.

use std::time::Instant;

use super::*;

/// A zone as its document says beyond what every zone says.
pub(super) fn record(name: &str, more: &Value, minute: i64) -> ZoneRecord {
    let mut document = json!({
        "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": name},
        "spec": {
            "cluster": "gateway",
            "authenticationMode": {"type": "PLAIN", "serviceAccount": format!("{name}-sa")},
            "topics": [{"name": "orders", "backingTopic": "eu.orders", "permission": "READ"}],
        },
    });
    for (part, fields) in more.as_object().unwrap() {
        for (field, value) in fields.as_object().unwrap() {
            document[part][field] = value.clone();
        }
    }
    let zone = document::from_document(&document).unwrap();
    ZoneRecord {
        id: ZoneId::derive("cluster", &zone.name),
        zone: zone.into(),
        changed: Sequence(0),
        revision: Revision::commit("refs/heads/main", "0123"),
        updated_at: OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(minute),
    }
}

pub(super) async fn put(store: &dyn Store, records: impl IntoIterator<Item = ZoneRecord>) {
    let changes = records.into_iter().map(|record| Change::PutZone(Box::new(record))).collect();
    store.commit(changes).await.unwrap();
}

async fn four_zones() -> (Arc<MemoryStore>, Node, String) {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let acme = json!({
        "metadata": {"labels": {"team": "streams", "tier": "gold"}},
        "spec": {"displayName": "Äcme Inc.", "partner": {"name": "Jo", "email": "jo@example.com"}},
    });
    let beta = json!({
        "metadata": {"labels": {"team": "billing"}},
        "spec": {
            "underlyingCluster": "west", "url": "https://beta.example.com",
            "topics": [{"name": "invoices", "backingTopic": "west.invoices", "permission": "READ"}],
        },
    });
    let gamma = json!({"metadata": {"labels": {"team": "streams"}}});
    let delta = json!({"spec": {"underlyingCluster": "default", "description": "about Invoices"}});
    put(&*store, [record("acme", &acme, 4), record("beta", &beta, 2), record("gamma", &gamma, 3)]).await;
    put(&*store, [record("delta", &delta, 1)]).await;
    // All but the last commit is served, and one zone of it is not.
    let mut heartbeat = crate::store::samples::heartbeat("g1", 2);
    heartbeat.problems.insert("gamma".to_owned(), "its cluster is away".to_owned());
    store.heartbeat(heartbeat).await.unwrap();
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    (store, node, admin)
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|zone| zone["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_filter_leaves_out_what_does_not_fit_and_all_of_them_must_hold() {
    let (_store, node, admin) = four_zones().await;
    for (asked, wanted) in [
        ("", &["acme", "beta", "delta", "gamma"][..]),
        ("status=READY", &["acme", "beta"]),
        ("status=FAILED", &["gamma"]),
        ("status=PENDING", &["delta"]),
        ("label=team%3Dstreams", &["acme", "gamma"]),
        ("label=team", &["acme", "beta", "gamma"]),
        ("label=team%3Dstreams&label=tier%3Dgold", &["acme"]),
        ("label=team%3D", &[]),
        ("search=%C3%A4CME", &["acme"]),
        ("search=JO%40EXAMPLE", &["acme"]),
        ("search=invoices", &["beta", "delta"]),
        ("search=beta.example", &["beta"]),
        ("search=", &["acme", "beta", "delta", "gamma"]),
        ("cluster=west", &["beta"]),
        ("cluster=default", &["acme", "delta", "gamma"]),
        ("topic=eu.orders", &["acme", "delta", "gamma"]),
        ("topic=orders", &[]),
        ("topic=eu.orders&status=READY&label=tier", &["acme"]),
        ("sort=-name", &["gamma", "delta", "beta", "acme"]),
        ("sort=updatedAt", &["delta", "beta", "gamma", "acme"]),
        ("sort=-updatedAt", &["acme", "gamma", "beta", "delta"]),
        ("sort=status", &["gamma", "delta", "acme", "beta"]),
    ] {
        let (status, list) = node.get(&format!("/api/v1/zones?{asked}"), &admin).await;
        assert_eq!((status, names(&list)), (StatusCode::OK, wanted.to_vec()), "{asked}");
        assert_eq!((&list["total"], &list["nextPageToken"]), (&json!(wanted.len()), &Value::Null), "{asked}");
        // The same in parts.
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/zones?{asked}&limit=1{token}");
            let (_, part) = node.get(&path, &admin).await;
            assert_eq!(part["total"], json!(wanted.len()), "{path}");
            seen.extend(names(&part).into_iter().map(str::to_owned));
            match part["nextPageToken"].as_str() {
                Some(next) => token = format!("&pageToken={next}"),
                None => break,
            }
            assert!(seen.len() < 5, "{asked}: it has no end");
        }
        assert_eq!(seen, wanted, "{asked}");
    }
}

#[tokio::test]
async fn zones_that_come_and_go_between_two_parts_neither_repeat_nor_hide_others() {
    let (store, node, admin) = four_zones().await;
    let (_, first) = node.get("/api/v1/zones?limit=2", &admin).await;
    assert_eq!(names(&first), ["acme", "beta"]);
    let none = json!({});
    put(&*store, [record("aaa", &none, 9), record("eta", &none, 9)]).await;
    store.commit(vec![Change::DeleteZone("beta".try_into().unwrap())]).await.unwrap();
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, rest) = node.get(&format!("/api/v1/zones?pageToken={token}"), &admin).await;
    assert_eq!(names(&rest), ["delta", "eta", "gamma"]);
    assert_eq!(rest["total"], json!(5));
}

#[tokio::test]
async fn what_a_list_does_not_know_is_refused_with_what_it_knows() {
    let (_store, node, admin) = four_zones().await;
    let (_, part) = node.get("/api/v1/zones?limit=1", &admin).await;
    let token = part["nextPageToken"].as_str().unwrap();
    for (asked, said) in [
        ("stauts=READY", "there are `include`, `status`, `label`"),
        ("status=ready", "`READY`, `PENDING`, `FAILED`"),
        ("sort=size", "`-updatedAt`, `status`"),
        ("limit=0", "from 1 to 1000"),
        ("limit=1&limit=2", "`limit` may stand there once"),
        ("label=%3Dx", "`key=value`"),
        ("cluster=a%20b", "`cluster`"),
        ("topic=a%20b", "`topic`"),
        ("include=everything", "`usage`"),
        ("pageToken=x", "`pageToken`"),
        (&*format!("sort=-name&pageToken={token}"), "in this order"),
        (&*format!("search={}", "x".repeat(201)), "200 characters"),
    ] {
        let (status, problem) = node.get(&format!("/api/v1/zones?{asked}"), &admin).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == StatusCode::BAD_REQUEST && detail.contains(said), "{asked}: {problem}");
    }
}

#[tokio::test]
async fn a_zones_tag_is_that_of_its_written_form_alone() {
    let (store, node, admin) = four_zones().await;
    let look = async || {
        let answer = node.request(Method::GET, "/api/v1/zones/delta", &admin).send().await.unwrap();
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        (tag, answer.json::<Value>().await.unwrap())
    };
    let (tag, zone) = look().await;
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 24, "{tag}");
    assert_eq!((&zone["status"]["etag"], &zone["status"]["phase"]), (&json!(tag), &json!("PENDING")));
    let (_, list) = node.get("/api/v1/zones?search=delta", &admin).await;
    assert_eq!(list["items"][0]["status"]["etag"], json!(tag));
    let written = document::to_document(&store.state().borrow().as_ref().unwrap().zones["delta"].zone);
    assert_eq!(etag::of_document(&written), tag);
    heartbeat(&*store, EVERYTHING).await;
    let (same, zone) = look().await;
    assert_eq!(
        (same, &zone["status"]["phase"]),
        (tag.clone(), &json!("READY")),
        "nobody has changed its form"
    );
    put(&*store, [record("delta", &json!({"spec": {"description": "another"}}), 1)]).await;
    assert_ne!(look().await.0, tag);
}

/// A page of many zones costs little more than finding them.
#[tokio::test]
async fn a_page_of_ten_thousand_zones_writes_down_the_page_alone() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let more = |n: usize| {
        let topic = |t: usize| json!({"name": format!("t{t}"), "backingTopic": format!("eu.{n}.t{t}"), "permission": "READ"});
        let topics: Vec<_> = (0..5).map(topic).collect();
        json!({"metadata": {"labels": {"team": format!("t{}", n % 10)}}, "spec": {"topics": topics}})
    };
    put(&*store, (0..10_000).map(|n| record(&format!("zone-{n:05}"), &more(n), 0))).await;
    heartbeat(&*store, EVERYTHING).await;
    let node = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let mut took = Vec::new();
    for asked in [
        "",
        "?limit=50",
        "?limit=50&sort=-updatedAt",
        "?limit=50&sort=status",
        "?limit=50&label=team%3Dt3",
        "?limit=50&search=eu.77.",
    ] {
        let begun = Instant::now();
        let (status, list) = node.get(&format!("/api/v1/zones{asked}"), &admin).await;
        took.push(begun.elapsed());
        println!("10 000 zones{asked}: {:?}", begun.elapsed());
        assert_eq!(status, StatusCode::OK);
        assert!(names(&list).len() <= 50 || asked.is_empty());
        let found = if asked.contains("label") {
            1_000
        } else if asked.contains("search") {
            1
        } else {
            10_000
        };
        assert_eq!(list["total"], json!(found), "{asked}");
    }
    let (whole, page) = (took[0], took[1]);
    assert!(page * 5 < whole, "a page takes {page:?}, and all zones {whole:?}");
}
