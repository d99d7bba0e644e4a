//! What certificates of an authority say, by RFC 5280: its own, those of CAs below it, and the others.

use super::super::certificate::Period;
use super::super::clock::Timestamp;
use super::super::csr::CsrSpec;
use super::super::extensions::{
    BasicConstraints, ExtendedKeyUsage, Extensions, KeyUsageBit, NameConstraints, SubjectKeyIdentifier,
};
use super::super::invalid::Invalid;
use super::super::name::Name;
use super::Issuer;

/// Milliseconds by which a certificate begins before it is made, for clocks that are behind.
const BACKDATED: i64 = 5 * 60 * 1000;

const DAY: i64 = 24 * 3_600_000;

/// Days that a certificate is valid when nobody says otherwise.
pub mod default_days {
    /// Of an end entity: what is renewed by machines is renewed often.
    pub const LEAF: u32 = 90;
    /// Of an intermediate.
    pub const INTERMEDIATE: u32 = 5 * 365;
    /// Of a root.
    pub const ROOT: u32 = 10 * 365;
}

/// 9999-12-31T23:59:59Z, the last second that GeneralizedTime can say.
const LATEST: Timestamp = Timestamp::from_millis(253_402_300_799_000);

/// How long a certificate shall be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From when; now when absent.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Until,
}

/// When a certificate shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After so many days.
    Days(u32),
    /// At that time.
    At(Timestamp),
}

impl Lifetime {
    /// From now for so many days.
    pub fn days(days: u32) -> Self {
        Self { from: None, until: Until::Days(days) }
    }
}

/// The validity of a certificate that is made now: never beyond that of its issuer, which cuts it off.
///
/// # Errors
/// It would end before it begins, before now, or after the year 9999.
pub fn period(issuer: Option<&Issuer>, wanted: Lifetime, now: Timestamp) -> Result<Period, Invalid> {
    let earliest = issuer.map_or(Timestamp::from_millis(0), |issuer| issuer.not_before);
    let from = wanted.from.unwrap_or(now.plus_millis(-BACKDATED)).whole_second().max(earliest);
    let until = match wanted.until {
        // Both ends count (RFC 5280 section 4.1.2.5): a day is 86,400 seconds, the last of them included.
        Until::Days(days) => from.plus_millis(i64::from(days) * DAY - 1000),
        Until::At(at) => at.whole_second(),
    };
    let not_after = issuer.map_or(until, |issuer| until.min(issuer.not_after));
    if not_after <= from || not_after <= now {
        let reason = format!("a certificate from {from} until {not_after} is never valid");
        return Err(Invalid::new("validity", reason));
    }
    if not_after > LATEST {
        let reason = "ends after the year 9999, which a certificate cannot say (RFC 5280 section 4.1.2.5)";
        return Err(Invalid::new("validity", reason));
    }
    Ok(Period { not_before: from, not_after })
}

/// The extensions of a CA: what its CSR asks for, or what stands in the certificate that it issues itself.
pub fn ca_spec(subject: Name, path_length: Option<u8>, constraints: Option<NameConstraints>) -> CsrSpec {
    let extensions = Extensions {
        key_usage: vec![KeyUsageBit::KeyCertSign, KeyUsageBit::CrlSign],
        basic_constraints: Some(BasicConstraints { ca: true, path_length }),
        subject_key_identifier: Some(SubjectKeyIdentifier::Sha1),
        name_constraints: constraints,
        ..Extensions::default()
    };
    CsrSpec { subject, extensions, ..CsrSpec::default() }
}

/// What the certificate of an end entity says: what is asked for, completed. KeyUsage is digitalSignature
/// unless more is asked for; with `default_purposes`, ExtendedKeyUsage is that of TLS.
///
/// # Errors
/// It is to be a CA, or a name is against the constraints of the authority.
pub fn leaf(issuer: &Issuer, asked: CsrSpec, default_purposes: bool) -> Result<CsrSpec, Vec<Invalid>> {
    let mut extensions = asked.extensions;
    let mut broken = Vec::new();
    if extensions.basic_constraints.is_some_and(|constraints| constraints.ca) {
        let reason = "asks for the certificate of a CA; have it signed as an intermediate";
        broken.push(Invalid::new("extensions.basic_constraints", reason));
    }
    if extensions.key_usage.is_empty() {
        extensions.key_usage = vec![KeyUsageBit::DigitalSignature];
    }
    if extensions.extended_key_usage.is_empty() && default_purposes {
        extensions.extended_key_usage = tls_purposes();
    }
    extensions.subject_key_identifier = Some(SubjectKeyIdentifier::Sha1);
    broken.extend(issuer.violations(&asked.subject, &asked.sans));
    // Attributes of a CSR do not get into certificates.
    let spec = CsrSpec { subject: asked.subject, sans: asked.sans, extensions, ..CsrSpec::default() };
    if broken.is_empty() { Ok(spec) } else { Err(broken) }
}

/// What the certificate of a CA below the authority says. Its path length is what is asked for, at most one
/// less than the authority's own.
///
/// # Errors
/// The authority may have no CA below it, or none with such a path length, or its name is against the
/// constraints of the authority.
pub fn intermediate(
    issuer: &Issuer,
    asked: CsrSpec,
    path_length: Option<u8>,
    constraints: Option<NameConstraints>,
) -> Result<CsrSpec, Vec<Invalid>> {
    let mut broken = Vec::new();
    let in_csr = asked.extensions.basic_constraints;
    if in_csr.is_some_and(|constraints| !constraints.ca) {
        let reason = "does not ask for the certificate of a CA (basicConstraints says CA:FALSE)";
        broken.push(Invalid::new("csr", reason));
    }
    if asked.subject.is_empty() {
        broken.push(Invalid::new("subject", "is empty: a CA has a name (RFC 5280 section 4.1.2.6)"));
    }
    let wanted = path_length.or(in_csr.and_then(|constraints| constraints.path_length));
    let path_length = match (issuer.path_length.map(|length| length.checked_sub(1)), wanted) {
        (None, wanted) => wanted,
        (Some(None), _) => {
            broken.push(Invalid::new(
                "path_length",
                "the authority may have no CA below it: its path length is 0",
            ));
            None
        }
        (Some(Some(most)), Some(wanted)) if wanted > most => {
            let reason =
                format!("{wanted} is asked for; the authority's own path length allows {most} at most");
            broken.push(Invalid::new("path_length", reason));
            None
        }
        (Some(Some(most)), wanted) => Some(wanted.unwrap_or(most)),
    };
    broken.extend(issuer.violations(&asked.subject, &asked.sans));
    let constraints = constraints.or(asked.extensions.name_constraints);
    let mut spec = ca_spec(asked.subject, path_length, constraints);
    // What another CA's software calls its key, so that it finds it again.
    spec.extensions.subject_key_identifier =
        asked.extensions.subject_key_identifier.or(spec.extensions.subject_key_identifier);
    spec.extensions.extended_key_usage = asked.extensions.extended_key_usage;
    spec.extensions.certificate_policies = asked.extensions.certificate_policies;
    spec.sans = asked.sans;
    if broken.is_empty() { Ok(spec) } else { Err(broken) }
}

fn tls_purposes() -> Vec<ExtendedKeyUsage> {
    ["serverAuth", "clientAuth"].iter().filter_map(|purpose| purpose.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_253_400_123);

    fn issuer(path_length: Option<u8>) -> Issuer {
        Issuer {
            name: Vec::new(),
            spki: Vec::new(),
            key_id: Vec::new(),
            not_before: NOW.plus_millis(-60_000).whole_second(),
            not_after: NOW.plus_millis(10 * DAY).whole_second(),
            path_length,
            constraints: Vec::new(),
        }
    }

    fn csr(path_length: Option<u8>) -> CsrSpec {
        ca_spec("CN=sub".parse().unwrap(), path_length, None)
    }

    #[test]
    fn a_validity_is_cut_off_at_both_ends_of_the_issuers() {
        let ca = issuer(None);
        let cut = period(Some(&ca), Lifetime::days(365), NOW).unwrap();
        assert_eq!((cut.not_before, cut.not_after), (ca.not_before, ca.not_after));
        let within = period(Some(&ca), Lifetime::days(2), NOW).unwrap();
        assert_eq!(within.not_after.as_millis() - within.not_before.as_millis(), 2 * DAY - 1000);
        let alone = period(None, Lifetime::days(1), NOW).unwrap();
        assert_eq!(alone.not_before, NOW.plus_millis(-BACKDATED).whole_second());
    }

    #[test]
    fn a_validity_that_is_over_is_refused() {
        let past = Until::At(NOW.plus_millis(-1000));
        for lifetime in [Lifetime { from: None, until: past }, Lifetime::days(0)] {
            assert_eq!(period(None, lifetime, NOW).unwrap_err().field, "validity");
        }
        let endless = Lifetime::days(u32::MAX);
        assert!(period(None, endless, NOW).unwrap_err().reason.contains("after the year 9999"));
        assert!(period(Some(&issuer(None)), endless, NOW).is_ok(), "cut off at its issuer's end");
        let later = Lifetime { from: Some(NOW.plus_millis(11 * DAY)), until: Until::Days(1) };
        assert!(period(Some(&issuer(None)), later, NOW).is_err(), "after its issuer's end");
    }

    #[test]
    fn the_path_gets_shorter_with_each_ca() {
        let length = |own, asked| {
            intermediate(&issuer(own), csr(asked), None, None)
                .map(|spec| spec.extensions.basic_constraints.unwrap().path_length)
                .map_err(|broken| broken[0].field.clone())
        };
        assert_eq!(length(None, None), Ok(None));
        assert_eq!(length(None, Some(7)), Ok(Some(7)));
        assert_eq!(length(Some(2), None), Ok(Some(1)));
        assert_eq!(length(Some(2), Some(0)), Ok(Some(0)));
        assert_eq!(length(Some(2), Some(2)), Err("path_length".to_owned()));
        assert_eq!(length(Some(0), None), Err("path_length".to_owned()));
    }

    #[test]
    fn an_end_entity_is_no_ca() {
        assert_eq!(
            leaf(&issuer(None), csr(None), true).unwrap_err()[0].field,
            "extensions.basic_constraints"
        );
        let subject = CsrSpec { subject: "CN=x".parse().unwrap(), ..CsrSpec::default() };
        let made = leaf(&issuer(None), subject.clone(), true).unwrap();
        assert_eq!(made.extensions.key_usage, [KeyUsageBit::DigitalSignature]);
        assert_eq!(made.extensions.extended_key_usage, tls_purposes());
        assert!(leaf(&issuer(None), subject, false).unwrap().extensions.extended_key_usage.is_empty());
    }
}
