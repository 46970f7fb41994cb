//! Texts that have a grammar of their own.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::zone::parse_duration;

use super::super::finding::quote;

#[derive(Debug)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// RFC 3339, kept in UTC so that one instant has one written form.
pub(super) fn time(text: &str) -> Result<OffsetDateTime, Refused> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| time.checked_to_offset(UtcOffset::UTC))
        .filter(|time| (1..=9999).contains(&time.year()))
        .ok_or_else(|| Refused {
            message: format!("{} is not a time", quote(text)),
            help: "write RFC 3339, such as `2027-01-31T00:00:00Z`",
        })
}

pub(super) fn duration(text: &str) -> Result<Duration, Refused> {
    parse_duration(text)
        .map_err(|error| Refused { message: format!("{} {error}", quote(text)), help: "for example `7d`" })
}

/// RFC 4632 and RFC 4291, section 2.3. Bits behind the prefix are a mistake: the block is not the one that was meant.
pub(super) fn cidr(text: &str) -> Result<IpNet, Refused> {
    let refused = |help| Refused { message: format!("{} is not a CIDR block", quote(text)), help };
    let form = || refused("write an address and a prefix length, such as `192.0.2.0/24` or `2001:db8::/32`");
    let (address, prefix) = text.split_once('/').ok_or_else(form)?;
    let address: IpAddr = address.parse().map_err(|_| form())?;
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix: u8 = prefix.parse().ok().filter(|_| digits).ok_or_else(form)?;
    if let IpAddr::V6(v6) = address
        && v6.to_ipv4_mapped().is_some()
    {
        // Whoever comes from there is seen as what it is.
        return Err(refused("write the IPv4 block itself, such as `192.0.2.0/24`"));
    }
    let block = IpNet::new(address, prefix).map_err(|_| form())?;
    if block.trunc() == block {
        Ok(block)
    } else {
        Err(refused(
            "the address has bits set behind the prefix; set them to zero, or use /32 (/128) for one host",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_checked_down_to_the_host_bits() {
        for good in
            ["0.0.0.0/0", "10.0.0.0/008", "192.0.2.0/24", "192.0.2.7/32", "2001:db8::/32", "::/0", "::1/128"]
        {
            assert!(cidr(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "192.0.2.0",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/+8",
            "::/129",
            "2001:db8::1/64",
            "010.0.0.0/8",
            "::ffff:10.0.0.0/104",
            "x/8",
        ] {
            assert!(cidr(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_instant_has_one_form() {
        assert_eq!(time("2027-01-01T01:00:00+01:00").unwrap(), time("2027-01-01T00:00:00Z").unwrap());
        assert_eq!(time("2027-01-01T01:00:00+01:00").unwrap().offset(), UtcOffset::UTC);
        for bad in ["2027-01-01", "2027-13-01T00:00:00Z", "0000-01-01T00:00:00+23:00", ""] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
