//! What the bodies of calls ask for.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SURFACE;
use super::convert::{self, ALGORITHMS};
use super::error::Refused;
use super::issues::{Fields, Issue};
use crate::app::authorities::NewAuthority;
use crate::domain::authority::profile::{Lifetime, Until, default_days};
use crate::domain::authority::{AuthorityKind, check_name};
use crate::domain::clock::Timestamp;
use crate::domain::crl::Reason;
use crate::domain::name::Name;
use crate::domain::signing_request::Submission;

/// A project as clients name it.
pub(super) enum ProjectRef {
    /// By its id.
    Id(String),
    /// By its slug.
    Slug(String),
}

impl fmt::Display for ProjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "Project with ID '{id}'"),
            Self::Slug(slug) => write!(f, "Project with slug '{slug}'"),
        }
    }
}

/// What a CA was made with that only this surface shows.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Kept {
    pub(super) friendly_name: Option<String>,
    pub(super) hsm_connector_id: Option<String>,
    pub(super) hsm_key_label: Option<String>,
    pub(super) enable_direct_issuance: bool,
}

/// A CA that is wished for.
pub(super) struct Create {
    pub(super) project: Option<ProjectRef>,
    /// Its name is empty where the vendor gives it one.
    pub(super) new: NewAuthority,
    /// It is to issue nothing for now.
    pub(super) disabled: bool,
}

/// What a CA is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewStatus {
    Active,
    Disabled,
    /// What an intermediate is by itself.
    Pending,
}

const NEW_STATUS: &[(&str, NewStatus)] = &[("active", NewStatus::Active), ("disabled", NewStatus::Disabled)];
const FIRST_STATUS: &[(&str, NewStatus)] = &[
    ("active", NewStatus::Active),
    ("disabled", NewStatus::Disabled),
    ("pending-certificate", NewStatus::Pending),
];
const KINDS: &[(&str, AuthorityKind)] =
    &[("root", AuthorityKind::Root), ("intermediate", AuthorityKind::Intermediate)];
/// The second is where the vendor keeps keys that it makes itself; a key is made in the token here all the same.
const KEY_SOURCES: &[(&str, ())] = &[("hsm", ()), ("infisical", ())];
const RENEWALS: &[(&str, ())] = &[("existing", ())];
const REASONS: &[(&str, Option<Reason>)] = &[
    ("UNSPECIFIED", Some(Reason::Unspecified)),
    ("KEY_COMPROMISE", Some(Reason::KeyCompromise)),
    ("CA_COMPROMISE", Some(Reason::CaCompromise)),
    ("AFFILIATION_CHANGED", Some(Reason::AffiliationChanged)),
    ("SUPERSEDED", Some(Reason::Superseded)),
    ("CESSATION_OF_OPERATION", Some(Reason::CessationOfOperation)),
    ("CERTIFICATE_HOLD", None),
    ("PRIVILEGE_WITHDRAWN", Some(Reason::PrivilegeWithdrawn)),
    ("A_A_COMPROMISE", Some(Reason::AaCompromise)),
];

/// A CA by the older paths, where all fields are at the top.
pub(super) fn create(body: Value) -> Result<Create, Refused> {
    let mut fields = Fields::of(body)?;
    let slug = fields.required_text("projectSlug");
    let (new, unoffered) = authority(&mut fields, false);
    let create =
        Create { project: Some(ProjectRef::Slug(slug)), new: new.unwrap_or_else(nothing), disabled: false };
    offered(fields.finish(create)?, unoffered)
}

/// A CA by the newer paths.
pub(super) fn create_internal(body: Value) -> Result<Create, Refused> {
    let mut fields = Fields::of(body)?;
    let name = fields.required_text("name");
    if !name.is_empty()
        && let Err(invalid) = check_name(&name)
    {
        fields.broken(Some("name"), invalid.reason);
    }
    let project = fields.text("projectId").map(ProjectRef::Id);
    let status = fields.choice("status", FIRST_STATUS);
    let direct = fields.boolean("enableDirectIssuance").unwrap_or_default();
    let mut configuration = fields.inner("configuration");
    let (new, unoffered) = authority(&mut configuration, direct);
    fields.take_issues(configuration);
    let disabled = status == Some(NewStatus::Disabled);
    if disabled && new.as_ref().is_some_and(|new| new.kind == AuthorityKind::Intermediate) {
        fields.broken(Some("status"), "an intermediate begins as pending-certificate");
    }
    let new = NewAuthority { name, ..new.unwrap_or_else(nothing) };
    offered(fields.finish(Create { project, new, disabled })?, unoffered)
}

fn offered(create: Create, unoffered: Option<&'static str>) -> Result<Create, Refused> {
    let Some(name) = unoffered else { return Ok(create) };
    let offered: Vec<_> =
        ALGORITHMS.iter().filter(|(_, kind)| kind.is_some()).map(|(name, _)| *name).collect();
    let message = format!("keyAlgorithm {name} is not offered here; these are: {}", offered.join(", "));
    Err(Refused::bad_request("key.kind-not-offered", message))
}

/// The CA, if nothing is wrong with it; and its key algorithm, if that one cannot be had.
fn authority(fields: &mut Fields, direct: bool) -> (Option<NewAuthority>, Option<&'static str>) {
    fields.required("type", "'root' | 'intermediate'");
    let kind = fields.choice("type", KINDS);
    let friendly_name = fields.text("friendlyName").filter(|name| !name.is_empty());
    let subject = subject(fields);
    let (from, until) = (fields.time("notBefore"), fields.time("notAfter"));
    let path_length = fields.path_length("maxPathLength");
    let asked = fields.choice("keyAlgorithm", ALGORITHMS_BY_NAME).unwrap_or(0);
    let (algorithm, key_kind) = ALGORITHMS[asked];
    fields.choice("keySource", KEY_SOURCES);
    let kept = Kept {
        friendly_name,
        hsm_connector_id: fields.text("hsmConnectorId").filter(|text| !text.is_empty()),
        hsm_key_label: fields.text("hsmKeyLabel").filter(|text| !text.is_empty()),
        enable_direct_issuance: direct,
    };
    let unoffered = key_kind.is_none().then_some(algorithm);
    let (Some(kind), Some(subject)) = (kind, subject) else { return (None, unoffered) };
    let until = until.map_or(Until::Days(default_days::ROOT), Until::At);
    let new = NewAuthority {
        name: String::new(),
        kind,
        subject,
        path_length,
        constraints: None,
        key_kind: key_kind.and_then(|kind| kind.parse().ok()),
        token: None,
        digest: None,
        padding: None,
        // The vendor's server passes these over for an intermediate: whoever certifies it says.
        lifetime: (kind == AuthorityKind::Root).then_some(Lifetime { from, until }),
        submission: serde_json::to_string(&kept).ok().map(|document| Submission {
            surface: SURFACE.to_owned(),
            name: None,
            document,
        }),
    };
    (Some(new), unoffered)
}

/// Stands for a CA that has issues, and is never made.
fn nothing() -> NewAuthority {
    NewAuthority {
        name: String::new(),
        kind: AuthorityKind::Root,
        subject: Name::default(),
        path_length: None,
        constraints: None,
        key_kind: None,
        token: None,
        digest: None,
        padding: None,
        lifetime: None,
        submission: None,
    }
}

/// The subject, in the conventional order of the encoding.
fn subject(fields: &mut Fields) -> Option<Name> {
    let given: Vec<(&str, &str, String)> = convert::SUBJECT
        .iter()
        .filter_map(|(field, kind)| Some((*field, *kind, fields.text(field)?)))
        .filter(|(.., value)| !value.is_empty())
        .collect();
    if given.is_empty() {
        let message = "At least one of the fields commonName, organization, ou, country, province, or locality must be non-empty";
        fields.broken(None, message);
        return None;
    }
    let mut right = true;
    for (field, kind, value) in &given {
        if let Err(invalid) = Name::from_rdns(&[vec![(*kind, value)]]) {
            fields.broken(Some(field), invalid.reason);
            right = false;
        }
    }
    let rdns: Vec<_> = given.iter().map(|(_, kind, value)| vec![(*kind, value)]).collect();
    Name::from_rdns(&rdns).ok().filter(|_| right)
}

/// What a CA is set to; none leaves it as it is.
pub(super) fn status(body: Value) -> Result<Option<NewStatus>, Vec<Issue>> {
    let mut fields = Fields::of(body)?;
    let status = fields.choice("status", NEW_STATUS);
    fields.finish(status)
}

/// The certificate and its chain, as they came.
pub(super) fn import(body: Value) -> Result<(String, String), Vec<Issue>> {
    let mut fields = Fields::of(body)?;
    let certificate = fields.required_text("certificate");
    fields.required("certificateChain", "string");
    let chain = fields.text("certificateChain").unwrap_or_default();
    fields.finish((certificate, chain))
}

/// A certificate for a CA.
pub(super) struct Certify {
    pub(super) lifetime: Lifetime,
    pub(super) path_length: Option<u8>,
    pub(super) parent: Option<String>,
}

pub(super) fn certify(body: Value) -> Result<Certify, Vec<Issue>> {
    let mut fields = Fields::of(body)?;
    let lifetime = until_required(&mut fields);
    let path_length = fields.path_length("maxPathLength");
    let parent = fields.text("parentCaId").filter(|id| !id.is_empty());
    fields.finish(Certify { lifetime, path_length, parent })
}

pub(super) fn renewal(body: Value) -> Result<Lifetime, Vec<Issue>> {
    let mut fields = Fields::of(body)?;
    fields.required("type", "'existing'");
    fields.choice("type", RENEWALS);
    let lifetime = until_required(&mut fields);
    fields.finish(lifetime)
}

/// A CA below that is to be certified: its CSR, how long, and its path length.
pub(super) fn intermediate(body: Value) -> Result<(String, Lifetime, Option<u8>), Vec<Issue>> {
    let mut fields = Fields::of(body)?;
    let csr = fields.required_text("csr");
    let lifetime = until_required(&mut fields);
    let path_length = fields.path_length("maxPathLength");
    fields.finish((csr, lifetime, path_length))
}

fn until_required(fields: &mut Fields) -> Lifetime {
    let from = fields.time("notBefore");
    fields.required("notAfter", "string");
    let until = fields.time("notAfter").unwrap_or(Timestamp::from_millis(0));
    Lifetime { from, until: Until::At(until) }
}

/// A certificate that is wished for.
pub(super) struct Sign {
    pub(super) ca_id: Option<String>,
    pub(super) template: Option<String>,
    pub(super) csr: String,
    pub(super) common_name: Option<String>,
    pub(super) alt_names: Vec<String>,
    pub(super) lifetime: Lifetime,
}

pub(super) fn sign(body: Value, now: Timestamp, below_a_ca: bool) -> Result<Sign, Vec<Issue>> {
    let mut fields = Fields::of(body)?;
    let ca_id = fields.text("caId");
    let template = fields.text("certificateTemplateId").filter(|name| !name.is_empty());
    if !below_a_ca && ca_id.is_none() && template.is_none() {
        fields.broken(Some("caId"), "Either CA ID or Certificate Template ID must be present");
    }
    let csr = fields.required_text("csr");
    let common_name = fields.text("commonName").filter(|name| !name.is_empty());
    let names = fields.text("altNames").unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let alt_names = names.map(str::to_owned).collect();
    for told_and_not_kept in ["friendlyName", "pkiCollectionId"] {
        fields.text(told_and_not_kept);
    }
    let (ttl, from, until) = (fields.text("ttl"), fields.time("notBefore"), fields.time("notAfter"));
    let until = match (ttl.as_deref().map(milliseconds), until) {
        (Some(Some(millis)), None) => from.unwrap_or(now).plus_millis(millis),
        (None, Some(until)) => until,
        (Some(None), None) => {
            fields.broken(Some("ttl"), "TTL must be a positive number");
            now
        }
        _ => {
            fields.broken(Some("ttl"), "Either ttl or notAfter must be present, but not both");
            now
        }
    };
    let lifetime = Lifetime { from, until: Until::At(until) };
    fields.finish(Sign { ca_id, template, csr, common_name, alt_names, lifetime })
}

/// Why a certificate is revoked; none: the vendor has such a reason, and there is no such revocation here.
pub(super) fn revocation(body: Value) -> Result<Option<Reason>, Vec<Issue>> {
    let mut fields = Fields::of(body)?;
    fields.required("revocationReason", "string");
    let reason = fields.choice("revocationReason", REASONS).flatten();
    fields.finish(reason)
}

/// A duration as the npm package `ms` writes it: `90d`, `1.5 hours`; a bare number is milliseconds. Positive.
fn milliseconds(text: &str) -> Option<i64> {
    const SECOND: f64 = 1000.0;
    const DAY: f64 = 24.0 * 3600.0 * SECOND;
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.trim().parse().ok()?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0 * SECOND,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0 * SECOND,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7.0 * DAY,
        "y" | "yr" | "yrs" | "year" | "years" => 365.25 * DAY,
        _ => return None,
    };
    let millis = (number * unit).round();
    // Beyond that, dates are no dates.
    let longest = 10_000.0 * 365.25 * DAY;
    #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds, and whole")]
    (1.0..=longest).contains(&millis).then_some(millis as i64)
}

/// The vendor's names, as a position in [`ALGORITHMS`].
const ALGORITHMS_BY_NAME: &[(&str, usize)] = &{
    let mut by_name = [("", 0); ALGORITHMS.len()];
    let mut at = 0;
    while at < ALGORITHMS.len() {
        by_name[at] = (ALGORITHMS[at].0, at);
        at += 1;
    }
    by_name
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_ttl_is_read_as_the_vendors_server_reads_it() {
        let day = 24 * 3_600_000;
        for (text, millis) in [
            ("90d", Some(90 * day)),
            ("12h", Some(day / 2)),
            ("1.5 hours", Some(5_400_000)),
            ("1y", Some(31_557_600_000)),
            ("2w", Some(14 * day)),
            ("60000", Some(60_000)),
            ("0d", None),
            ("-1d", None),
            ("1 fortnight", None),
            ("NaN", None),
            ("d", None),
            ("", None),
            ("99999999y", None),
        ] {
            assert_eq!(milliseconds(text), millis, "{text}");
        }
    }

    #[test]
    fn the_subject_is_in_the_conventional_order() {
        let body = json!({
            "projectSlug": "p", "type": "root", "commonName": "Root", "organization": "Lab, Inc.", "ou": "", "country": "NL",
            "locality": "Amersfoort", "province": "Utrecht", "maxPathLength": -1,
        });
        let create = create(body).ok().unwrap();
        let subject = create.new.subject.to_string();
        assert_eq!(subject, "CN=Root,O=Lab\\, Inc.,L=Amersfoort,ST=Utrecht,C=NL");
        assert_eq!(create.new.key_kind, Some("rsa-2048".parse().unwrap()));
    }
}
