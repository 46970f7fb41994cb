//! The envelope of what is written to the audit log: CloudEvents 1.0.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::zone::{Asker, Person};

/// An event of this kind about `subject`. `source` is the part of this system that tells it, below `/partner-zones/`, and `kind`
/// what has happened, below `partner-zones.`.
pub fn event(source: &str, kind: &str, subject: &str, at: OffsetDateTime, data: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": uuid::Uuid::new_v4(),
        "source": format!("/partner-zones/{source}"),
        "type": format!("partner-zones.{kind}"),
        "subject": subject,
        "time": at.format(&Rfc3339).ok(),
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// Puts into an event's data who asked for what it tells: `apiKey`, an id, or `person`, who is one by `subject` alone.
pub fn name_asker(data: &mut Map<String, Value>, asker: &Asker) {
    match asker {
        Asker::ApiKey(id) => data.insert("apiKey".to_owned(), json!(id)),
        Asker::Person(Person { subject, name, email }) => {
            data.insert("person".to_owned(), json!({ "subject": subject, "name": name, "email": email }))
        }
    };
}
