//! Topics of the backing clusters, and with whom they are shared.

use super::*;
use crate::zone::ZoneName;

/// Topics of the large cluster.
const LARGE: usize = 100;

/// Three clusters, one of which is away.
#[derive(Debug)]
pub(super) struct Clusters;

impl Topics for Clusters {
    fn of<'a>(&'a self, cluster: &'a ClusterName) -> TopicsFuture<'a> {
        Box::pin(async move {
            match cluster.as_str() {
                "default" => {
                    let topics = [("__consumer_offsets", 50), ("_partner-zones.state", 1), ("eu.orders", 3)];
                    let more = [("eu.returns", 1), ("us.Orders", 6)];
                    let partitions = topics.into_iter().chain(more).map(|(name, of)| (name.to_owned(), of));
                    let at = OffsetDateTime::UNIX_EPOCH;
                    Ok(Arc::new(ClusterTopics { at, partitions: partitions.collect(), is_partial: false }))
                }
                "large" => {
                    let partitions = (0..LARGE).map(|n| (format!("t{n:03}"), 1)).collect();
                    Ok(Arc::new(ClusterTopics {
                        at: OffsetDateTime::UNIX_EPOCH,
                        partitions,
                        is_partial: true,
                    }))
                }
                "west" => Err(NoTopics::Unreachable),
                _ => Err(NoTopics::UnknownCluster(vec![
                    "default".try_into().unwrap(),
                    "west".try_into().unwrap(),
                ])),
            }
        })
    }
}

fn topics(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|topic| topic["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_topic_says_with_whom_it_is_shared_on_its_cluster_and_internal_ones_are_left_out() {
    let store = memory_store();
    let viewer = key_of(&*store, ApiKeyRole::Viewer).await;
    // `misplaced` shares a topic of the same name on another cluster.
    for zone in ["acme", "beta", "misplaced"] {
        put_zone(&*store, zone, "PLAIN").await;
    }
    let node = Node::start("n1", store as Arc<dyn Store>).await;
    let (status, list) = node.get("/api/v1/topics?cluster=default", &viewer).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert_eq!(topics(&list), ["eu.orders", "eu.returns", "us.Orders"]);
    let share = |zone: &str| json!({"zone": zone, "alias": "orders", "permission": "READ"});
    let orders = json!({
        "cluster": "default", "name": "eu.orders", "partitions": 3,
        "sharedWith": [share("acme"), share("beta")], "shares": 2,
    });
    assert_eq!((&list["items"][0], &list["items"][1]["sharedWith"]), (&orders, &json!([])));
    assert_eq!(node.get("/api/v1/topics", &viewer).await.1["items"], list["items"], "the default cluster");
    let (_, found) = node.get("/api/v1/topics?search=orders&limit=1", &viewer).await;
    assert_eq!((topics(&found), &found["total"]), (vec!["eu.orders"], &json!(2)));
    let token = found["nextPageToken"].as_str().unwrap();
    let (_, rest) = node.get(&format!("/api/v1/topics?search=ORDERS&pageToken={token}"), &viewer).await;
    assert_eq!((topics(&rest), &rest["nextPageToken"]), (vec!["us.Orders"], &Value::Null));
}

#[tokio::test]
async fn a_cluster_that_is_away_is_named_and_one_that_is_not_there_is_not_found() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let node = Node::start("n1", store as Arc<dyn Store>).await;
    for (asked, wanted, said) in [
        ("cluster=west", StatusCode::SERVICE_UNAVAILABLE, "`west`"),
        ("cluster=east", StatusCode::NOT_FOUND, "there are `default`, `west`"),
        ("cluster=a%20b", StatusCode::BAD_REQUEST, "`cluster`"),
        ("zone=acme", StatusCode::BAD_REQUEST, "`cluster`, `search`, `limit`, `pageToken`"),
    ] {
        let (status, problem) = node.get(&format!("/api/v1/topics?{asked}"), &admin).await;
        assert!(status == wanted && problem["detail"].as_str().unwrap().contains(said), "{asked}: {problem}");
    }
    assert_eq!(node.get("/api/v1/topics", &admin).await.0, StatusCode::OK, "others are not affected");
}

#[tokio::test]
async fn the_leader_alone_asks_and_of_many_shares_the_first_are_shown_and_all_counted() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let leader = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let follower = Node::start("n2", Follower::of(store.clone(), Some(("n1", leader.address)))).await;
    let (status, list) = follower.get("/api/v1/topics?search=eu", &admin).await;
    assert_eq!((status, topics(&list)), (StatusCode::OK, vec!["eu.orders", "eu.returns"]));
    let lonely = Node::start("n3", Follower::of(store.clone(), None)).await;
    assert_eq!(lonely.get("/api/v1/topics", &admin).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // One topic that is shared with more than are shown.
    let zone = |n: usize| ZoneName::try_from(format!("z{n:03}").as_str()).unwrap();
    for n in 0..101 {
        put_zone(&*store, zone(n).as_str(), "PLAIN").await;
    }
    let (_, list) = follower.get("/api/v1/topics?limit=1", &admin).await;
    let orders = &list["items"][0];
    assert_eq!((orders["sharedWith"].as_array().unwrap().len(), &orders["shares"]), (100, &json!(101)));
}

#[tokio::test]
async fn a_part_ends_before_it_is_too_long_for_the_way_from_the_leader() {
    let store = memory_store();
    let admin = key_of(&*store, ApiKeyRole::Admin).await;
    let topic = |n| json!({"name": format!("alias-of-{n}"), "backingTopic": format!("t{n:03}"), "permission": "READ"});
    let shared: Vec<_> = (0..LARGE).map(topic).collect();
    let more = json!({"spec": {"underlyingCluster": "large", "topics": shared}});
    lists::put(&*store, (0..100).map(|n| lists::record(&format!("zone-{n}"), &more, 0))).await;
    let leader = Node::start("n1", Arc::clone(&store) as Arc<dyn Store>).await;
    let follower = Node::start("n2", Follower::of(store, Some(("n1", leader.address)))).await;
    let (mut seen, mut parts, mut token) = (Vec::new(), 0, String::new());
    loop {
        let path = format!("/api/v1/topics?cluster=large&limit=1000{token}");
        let (status, part) = follower.get(&path, &admin).await;
        assert_eq!((status, &part["isPartial"]), (StatusCode::OK, &json!(true)), "{path}");
        assert!(part.to_string().len() < 600_000, "{}", part.to_string().len());
        seen.extend(topics(&part).into_iter().map(str::to_owned));
        parts += 1;
        let Some(next) = part["nextPageToken"].as_str() else { break };
        token = format!("&pageToken={next}");
    }
    assert!(parts > 1 && seen.len() == LARGE && seen.is_sorted(), "{parts} parts: {seen:?}");
}
