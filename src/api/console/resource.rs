//! A zone as Console shows it: its written form, with what the server fills in under `metadata`.

use serde_json::{Map, Value, json};

/// `shown` is a zone as `/api/v1` shows it.
pub(super) fn resource(shown: Value) -> Value {
    let Value::Object(mut zone) = shown else { return shown };
    let status = zone.remove("status").unwrap_or_default();
    if let Some(Value::Object(metadata)) = zone.get_mut("metadata") {
        let mut fill = |name: &str, value: Option<&Value>| {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                metadata.insert(name.to_owned(), value.clone());
            }
        };
        fill("id", status.get("id"));
        fill("updatedAt", status.get("updatedAt"));
        fill("status", status.get("phase"));
        fill("failedReason", status.get("failedReason"));
        metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
    }
    Value::Object(zone)
}

/// A zone that was written a moment ago, or would be, with what the server knows of the one that is there. `shown` may be without it.
pub(super) fn known(mut shown: Value, id: &str, updated_at: &str) -> Value {
    if let Value::Object(zone) = &mut shown
        && let Value::Object(status) = zone.entry("status").or_insert_with(|| json!({}))
    {
        status.entry("id").or_insert_with(|| id.into());
        status.entry("updatedAt").or_insert_with(|| updated_at.into());
    }
    shown
}

/// What a client is set up with, as Java reads it: the password is not known, and stands as asterisks.
pub(super) fn kafka_configuration(shown: &Value) -> Option<String> {
    let text = |pointer: &str| shown.pointer(pointer).and_then(Value::as_str);
    let mut lines = vec![
        format!("bootstrap.servers={}", text("/status/bootstrapServers")?),
        format!("security.protocol={}", text("/status/securityProtocol")?),
    ];
    let account = text("/spec/authenticationMode/serviceAccount")?;
    let login = |mechanism: &str, module: &str, user: &str| {
        let user = user.replace('\\', "\\\\").replace('\'', "\\'");
        // A backslash is one in a properties file only if it is doubled.
        let jaas = format!("{module} required username='{user}' password='***';").replace('\\', "\\\\");
        [format!("sasl.mechanism={mechanism}"), format!("sasl.jaas.config={jaas}")]
    };
    match text("/spec/authenticationMode/type")? {
        "PLAIN" => {
            lines.extend(login("PLAIN", "org.apache.kafka.common.security.plain.PlainLoginModule", account));
        }
        // A client of SCRAM logs in with the id of a credential.
        "SCRAM" => lines.extend(login(
            "SCRAM-SHA-512",
            "org.apache.kafka.common.security.scram.ScramLoginModule",
            "KEY_ID",
        )),
        "OAUTHBEARER" => lines.extend([
            "sasl.mechanism=OAUTHBEARER".to_owned(),
            "sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
                .to_owned(),
        ]),
        _ => {}
    }
    Some(lines.join("\n") + "\n")
}

/// A zone that was written, and what that did. A member that they do not know tells of a branch that is to be merged first.
pub(super) fn upserted(shown: Value, result: &'static str, proposal: Option<&str>) -> Value {
    let mut answer = json!({ "resource": resource(shown), "upsertResult": result });
    if let (Value::Object(answer), Some(branch)) = (&mut answer, proposal) {
        answer.insert("proposal".to_owned(), branch.into());
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: &str, account: &str) -> Value {
        json!({
            "spec": { "authenticationMode": { "type": kind, "serviceAccount": account } },
            "status": { "bootstrapServers": "kafka.example.com:9092", "securityProtocol": "SASL_SSL" },
        })
    }

    #[test]
    fn what_java_reads_of_a_configuration_is_what_was_meant() {
        let text = kafka_configuration(&shown("PLAIN", "o'brien\\x")).unwrap();
        assert_eq!(
            text,
            "bootstrap.servers=kafka.example.com:9092\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n\
             sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
             username='o\\\\'brien\\\\\\\\x' password='***';\n"
        );
        let mtls = kafka_configuration(&shown("MTLS", "CN=acme")).unwrap();
        assert!(!mtls.contains("sasl"), "{mtls}");
        assert_eq!(kafka_configuration(&json!({})), None, "no node lives");
    }

    #[test]
    fn what_is_known_of_a_zone_is_filled_in_where_nothing_is_said() {
        let filled = |shown: Value| resource(known(shown, "1", "2027-01-01T00:00:00Z"))["metadata"].clone();
        let (id, at) = (json!("1"), json!("2027-01-01T00:00:00Z"));
        let dry = filled(json!({ "metadata": { "name": "acme" } }));
        assert_eq!((&dry["id"], &dry["updatedAt"], dry.get("status")), (&id, &at, None));
        let pending = filled(json!({ "metadata": {}, "status": { "phase": "PENDING", "wanted": "main" } }));
        assert_eq!((&pending["id"], &pending["status"]), (&id, &json!("PENDING")));
        let there = filled(json!({ "metadata": {}, "status": { "id": "2", "updatedAt": "then" } }));
        assert_eq!((&there["id"], &there["updatedAt"]), (&json!("2"), &json!("then")));
    }

    #[test]
    fn a_resource_has_no_status_of_its_own() {
        let zone = json!({
            "metadata": { "name": "acme" }, "spec": {},
            "status": { "id": "1", "phase": "FAILED", "failedReason": "no topic", "updatedAt": "2027-01-01T00:00:00Z" },
        });
        assert_eq!(
            resource(zone),
            json!({
                "metadata": {
                    "name": "acme", "labels": {}, "id": "1", "status": "FAILED", "failedReason": "no topic",
                    "updatedAt": "2027-01-01T00:00:00Z",
                },
                "spec": {},
            })
        );
    }
}
