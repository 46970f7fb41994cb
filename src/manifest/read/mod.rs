//! A document → a zone, with the rules within one zone. The only way to make a [`PartnerZone`] from outside.

mod certificates;
mod headers;
mod plain;
mod rules;
mod texts;
mod values;

use std::collections::BTreeMap;

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::zone::{
    Access, Authentication, AuthenticationMode, Certificates, ConsumerGroup, Deprecated, IssuerName,
    NameError, PartnerZone, Replay, ServiceAccount, SharedTopic, TopicName,
};

use super::code::Code;
use super::fault::{DocumentFault, join};
use super::finding::quote;
use super::schema::{self, shown};
use super::v2;

use plain::{mode, organization, partner, permission, traffic_control};

const RESERVED: &str =
    "choose another: `.`, `..` and the form of a key id (`pz` and 16 letters or digits) are reserved";

/// What a document says, and what is wrong with it. The zone is there exactly if no fault is an error.
#[derive(Debug)]
pub struct Reading {
    pub zone: Option<PartnerZone>,
    pub faults: Vec<DocumentFault>,
}

/// Reads each part of the document on its own, so that a fault in one does not hide those in another.
pub fn read(document: &Value) -> Reading {
    let mut reader = Reader { document, faults: Vec::new(), unread: Vec::new() };
    reader.read_only_metadata();
    let zone = reader.zone();
    let Reader { mut faults, unread, .. } = reader;
    // Where both speak of one value, the rule says it better than the schema's pattern.
    faults.extend(
        schema::check(document)
            .into_iter()
            .filter(|weak| {
                weak.finding.code != Code::InvalidValue
                    || !faults.iter().any(|fault| fault.pointer == weak.pointer && fault.finding.is_error())
            })
            .collect::<Vec<_>>(),
    );
    // What is no name for it already is said once.
    let unshowable = texts::unshowable(document).into_iter();
    let is_said = |text: &DocumentFault| {
        faults.iter().any(|fault| fault.pointer == text.pointer && fault.finding.is_error())
    };
    let unsaid: Vec<_> = unshowable.filter(|text| !is_said(text)).collect();
    faults.extend(unsaid);
    // What cannot be read is never taken for absent, even where the schema has nothing against it.
    for pointer in unread {
        let below = format!("{pointer}/");
        let said = |fault: &DocumentFault| {
            fault.finding.is_error() && (fault.pointer == pointer || fault.pointer.starts_with(&below))
        };
        if !faults.iter().any(said) {
            faults.extend(not_read(document, &pointer));
        }
    }
    let refused = faults.iter().any(|fault| fault.finding.is_error());
    if zone.is_none() && !refused {
        faults.push(DocumentFault::new(Code::InvalidValue, "", "the document cannot be read as a zone"));
    }
    Reading { zone: zone.filter(|_| !refused), faults }
}

/// Why a part that the schema accepts is of no type of ours: JSON Schema takes `1e3` and numbers of any size for integers.
fn not_read(document: &Value, pointer: &str) -> Vec<DocumentFault> {
    let mut faults = Vec::new();
    let mut open: Vec<(String, &Value)> =
        document.pointer(pointer).map(|value| (pointer.to_owned(), value)).into_iter().collect();
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Number(number) if number.is_f64() => {
                let message = format!("{} is no whole number that fits 64 bits", shown(&pointer));
                let fault = DocumentFault::new(Code::WrongType, pointer, message);
                faults.push(fault.help("write it in digits, such as 1000000"));
            }
            Value::Object(fields) => {
                open.extend(fields.iter().map(|(name, value)| (join(&pointer, name), value)));
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), value)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    if faults.is_empty() {
        let message = format!("{} cannot be read", shown(pointer));
        faults.push(DocumentFault::new(Code::InvalidValue, pointer, message));
    }
    faults
}

struct Reader<'a> {
    document: &'a Value,
    faults: Vec<DocumentFault>,
    /// Pointers of parts that are there and of another type.
    unread: Vec<String>,
}

impl Reader<'_> {
    /// A part of the document, if its fields have the right types; if not, the schema says so, or [`not_read`] does.
    fn part<T: DeserializeOwned>(&mut self, pointer: &str) -> Option<T> {
        self.typed(pointer, self.document.pointer(pointer)?)
    }

    /// The same of a part that was found already.
    fn typed<T: DeserializeOwned>(&mut self, pointer: &str, part: &Value) -> Option<T> {
        let part = T::deserialize(part).ok();
        if part.is_none() {
            self.unread.push(pointer.to_owned());
        }
        part
    }

    fn fault(&mut self, fault: DocumentFault) {
        self.faults.push(fault);
    }

    fn name<'t, T: TryFrom<&'t str, Error = NameError>>(
        &mut self,
        pointer: &str,
        text: &'t str,
    ) -> Option<T> {
        self.name_by(pointer, text, T::try_from)
    }

    fn name_by<'t, T>(
        &mut self,
        pointer: &str,
        text: &'t str,
        parse: impl FnOnce(&'t str) -> Result<T, NameError>,
    ) -> Option<T> {
        if !ComposingNormalizerBorrowed::new_nfc().is_normalized(text) {
            let message = format!("{}: {} is not in composed form (NFC)", shown(pointer), quote(text));
            let help = "type the accented characters again: another name would look the same as this one";
            self.fault(DocumentFault::new(Code::NotComposed, pointer, message).help(help));
            return None;
        }
        parse(text)
            .map_err(|error| {
                let message = format!("{}: {} {error}", shown(pointer), quote(text));
                let fault = DocumentFault::new(Code::InvalidName, pointer, message);
                self.fault(if error == NameError::Reserved { fault.help(RESERVED) } else { fault });
            })
            .ok()
    }

    fn read_only_metadata(&mut self) {
        for field in v2::READ_ONLY_METADATA {
            let pointer = format!("/metadata/{field}");
            if self.document.pointer(&pointer).is_some() {
                self.fault(
                    DocumentFault::new(
                        Code::ReadOnlyField,
                        pointer,
                        format!("`metadata.{field}` is filled in by the server and ignored here"),
                    )
                    .help("remove it")
                    .on_key(),
                );
            }
        }
    }

    fn zone(&mut self) -> Option<PartnerZone> {
        let name = self.part::<String>("/metadata/name");
        let name = name.and_then(|name| self.name("/metadata/name", &name));
        let underlying = self.part::<String>("/spec/underlyingCluster");
        let underlying_cluster = underlying.and_then(|text| self.name("/spec/underlyingCluster", &text));
        let authentication = self.authentication();
        let topics = self.topics();
        let headers = self.headers();
        let access = self.access();
        let consumer_groups = self.consumer_groups();
        Some(PartnerZone {
            name: name?,
            labels: self.part::<BTreeMap<_, _>>("/metadata/labels").unwrap_or_default(),
            cluster: self.part("/spec/cluster")?,
            underlying_cluster,
            display_name: self.part("/spec/displayName"),
            description: self.part("/spec/description"),
            url: self.part("/spec/url"),
            authentication: authentication?,
            topics,
            partner: self.part("/spec/partner").map(partner),
            organization: self.part("/spec/organization").map(organization),
            traffic_control: self
                .part("/spec/trafficControlPolicies")
                .map(traffic_control)
                .unwrap_or_default(),
            headers,
            access,
            consumer_groups,
        })
    }

    fn authentication(&mut self) -> Option<Authentication> {
        const CURRENT: &str = "/spec/authenticationMode/serviceAccount";
        const OLDER: &str = "/spec/serviceAccount";
        let current = self.part::<v2::AuthenticationMode>("/spec/authenticationMode");
        let older = self.part::<String>(OLDER);
        let spec = self.document.pointer("/spec").and_then(Value::as_object);
        let neither = spec.is_some_and(|spec| {
            !spec.contains_key("authenticationMode") && !spec.contains_key("serviceAccount")
        });
        if neither && !self.looks_like_authentication() {
            self.fault(
                DocumentFault::new(
                    Code::MissingField,
                    "/spec",
                    "`spec` lacks the field `authenticationMode`",
                )
                .help("add `authenticationMode: {type: PLAIN, serviceAccount: NAME}`")
                .on_key(),
            );
        }
        if let (Some(current), Some(older)) = (&current, &older)
            && current.service_account != *older
        {
            self.fault(
                DocumentFault::new(
                    Code::TwoServiceAccounts,
                    OLDER,
                    "`spec.serviceAccount` and `spec.authenticationMode.serviceAccount` differ",
                )
                .help("remove `spec.serviceAccount`, the older spelling")
                .related(CURRENT, "the other one"),
            );
        }
        let Some(current) = current else {
            let service_account: ServiceAccount = self.name(OLDER, &older?)?;
            return Some(Authentication {
                mode: AuthenticationMode::Plain,
                service_account,
                issuer: None,
                certificates: Certificates::default(),
            });
        };
        let mode = mode(current.kind);
        let certificates = self.certificates(mode, &current);
        let issuer = current.issuer.and_then(|name| self.issuer(&name, mode));
        let account = &current.service_account;
        let service_account = match mode {
            AuthenticationMode::Mtls => self.name_by(CURRENT, account, ServiceAccount::of_certificate),
            _ => self.name(CURRENT, account),
        };
        Some(Authentication { mode, service_account: service_account?, issuer, certificates: certificates? })
    }

    /// An issuer has no meaning for who brings no token.
    fn issuer(&mut self, name: &str, mode: AuthenticationMode) -> Option<IssuerName> {
        const ISSUER: &str = "/spec/authenticationMode/issuer";
        if mode != AuthenticationMode::OauthBearer {
            let message = "`issuer` is for zones whose `type` is OAUTHBEARER";
            let fault = DocumentFault::new(Code::UnknownField, ISSUER, message).on_key();
            self.fault(fault.help("remove `issuer`, or write `type: OAUTHBEARER`"));
            return None;
        }
        self.name(ISSUER, name)
    }

    /// A misspelt `authenticationMode` is reported as an unknown field, and not as missing too.
    fn looks_like_authentication(&self) -> bool {
        let spec = self.document.pointer("/spec").and_then(Value::as_object);
        spec.is_some_and(|spec| {
            spec.keys().any(|key| {
                schema::closest(key, ["authenticationMode", "serviceAccount"].into_iter()).is_some()
            })
        })
    }

    fn topics(&mut self) -> Vec<SharedTopic> {
        let document = self.document;
        let Some(items) = document.pointer("/spec/topics").and_then(Value::as_array) else {
            if self.document.pointer("/spec").is_some_and(|spec| spec.get("topics").is_none()) {
                self.nothing_shared("/spec");
            }
            return Vec::new();
        };
        if items.is_empty() {
            self.nothing_shared("/spec/topics");
        }
        let topics: Vec<_> = items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let pointer = format!("/spec/topics/{index}");
                self.topic(&pointer, item).map(|topic| (pointer, topic))
            })
            .collect();
        let complete = topics.len() == items.len();
        self.faults.extend(rules::aliases(&topics, complete));
        let mut topics: Vec<_> = topics.into_iter().map(|(_, topic)| topic).collect();
        // Zones are kept, and this may have room for twice as many.
        topics.shrink_to_fit();
        topics
    }

    fn nothing_shared(&mut self, pointer: &str) {
        self.fault(
            DocumentFault::new(Code::NothingShared, pointer, "the zone shares no topic")
                .help("list topics under `spec.topics`, or delete the file to remove the zone")
                .on_key(),
        );
    }

    fn topic(&mut self, pointer: &str, item: &Value) -> Option<SharedTopic> {
        let topic: v2::Topic = self.typed(pointer, item)?;
        let alias = self.name(&format!("{pointer}/name"), &topic.name);
        let backing_pointer = format!("{pointer}/backingTopic");
        let backing: Option<TopicName> = self.name(&backing_pointer, &topic.backing_topic);
        if let Some(internal) = backing.as_ref().filter(|backing| backing.is_internal()) {
            self.fault(
                DocumentFault::new(
                    Code::InternalTopic,
                    backing_pointer,
                    format!("{} is an internal topic and never shared", quote(internal.as_str())),
                )
                .help("names that start with `__` or `_partner-zones.` belong to Kafka and to this system"),
            );
        }
        let deprecated = topic.deprecated.map(|deprecated| self.deprecated(pointer, &deprecated));
        let replay = topic.replay.and_then(|replay| self.replay(pointer, &replay));
        Some(SharedTopic {
            alias: alias?,
            backing: backing?,
            permission: permission(topic.permission),
            description: topic.description,
            tags: topic.tags,
            schemas: topic.schemas,
            deprecated: deprecated.flatten(),
            replay,
        })
    }

    fn deprecated(&mut self, pointer: &str, deprecated: &v2::Deprecated) -> Option<Deprecated> {
        let until = self.value(&format!("{pointer}/deprecated/until"), values::time(&deprecated.until));
        let replaced_by = match &deprecated.replaced_by {
            Some(text) => Some(self.name(&format!("{pointer}/deprecated/replacedBy"), text)?),
            None => None,
        };
        Some(Deprecated { until: until?, replaced_by })
    }

    fn replay(&mut self, pointer: &str, replay: &v2::Replay) -> Option<Replay> {
        match (&replay.max_age, replay.from) {
            (Some(age), None) => {
                self.value(&format!("{pointer}/replay/maxAge"), values::duration(age)).map(Replay::MaxAge)
            }
            (None, Some(v2::ReplayFrom::Latest)) => Some(Replay::FromLatest),
            // The schema refuses both and neither.
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    fn access(&mut self) -> Access {
        let Some(access) = self.part::<v2::Access>("/spec/access") else { return Access::default() };
        let mut time = |field: &str, text: Option<&String>| {
            text.and_then(|text| self.value(&format!("/spec/access/{field}"), values::time(text)))
        };
        let valid_from = time("validFrom", access.valid_from.as_ref());
        let valid_until = time("validUntil", access.valid_until.as_ref());
        let blocks = access.allowed_cidrs.iter().enumerate().filter_map(|(index, text)| {
            self.value(&format!("/spec/access/allowedCidrs/{index}"), values::cidr(text))
        });
        let allowed_cidrs = blocks.collect();
        let access = Access { valid_from, valid_until, allowed_cidrs };
        self.faults.extend(rules::validity(&access));
        access
    }

    fn consumer_groups(&mut self) -> Vec<ConsumerGroup> {
        let items =
            self.document.pointer("/spec/consumerGroups").and_then(Value::as_array).map_or(0, Vec::len);
        let groups: Vec<_> = (0..items)
            .filter_map(|index| {
                let pointer = format!("/spec/consumerGroups/{index}");
                let group: v2::ConsumerGroup = self.part(&pointer)?;
                let name = self.name(&format!("{pointer}/name"), &group.name);
                let backing_group = self.name(&format!("{pointer}/backingGroup"), &group.backing_group);
                Some((pointer, ConsumerGroup { name: name?, backing_group: backing_group? }))
            })
            .collect();
        self.faults.extend(rules::groups(&groups));
        groups.into_iter().map(|(_, group)| group).collect()
    }

    fn value<T>(&mut self, pointer: &str, parsed: Result<T, values::Refused>) -> Option<T> {
        parsed
            .map_err(|refused| {
                let fault =
                    DocumentFault::new(Code::InvalidValue, pointer, refused.message).help(refused.help);
                self.fault(fault);
            })
            .ok()
    }
}

#[cfg(test)]
mod tests;
