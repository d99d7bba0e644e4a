//! How the extensions of a CSR are written on the command line.

use clap::Args as ClapArgs;

use crate::api::{CertificatePolicy, MicrosoftTemplate, OtherExtension, SubjectKeyIdentifier};

/// Extensions to ask for.
#[derive(Debug, ClapArgs)]
pub struct Extensions {
    /// Key usage to ask for, such as `digitalSignature`; may be repeated.
    #[arg(long = "key-usage")]
    pub key_usage: Vec<String>,
    /// Extended key usage to ask for, such as `serverAuth`; may be repeated.
    #[arg(long = "eku")]
    pub extended_key_usage: Vec<String>,
    /// Ask for a CA certificate.
    #[arg(long)]
    pub ca: bool,
    /// How many CAs may follow below it.
    #[arg(long, requires = "ca")]
    pub path_length: Option<u8>,
    /// Names that the CA may certify, such as `DNS:example.com` or `IP:192.0.2.0/24`; may be repeated.
    #[arg(long, requires = "ca", value_name = "SUBTREE")]
    pub permit: Vec<String>,
    /// Names that the CA may not certify; may be repeated.
    #[arg(long, requires = "ca", value_name = "SUBTREE")]
    pub exclude: Vec<String>,
    /// Certificate policy to ask for; may be repeated.
    #[arg(long = "policy", value_name = "OID[;cps=URI][;notice=TEXT]", value_parser = policy)]
    pub policies: Vec<CertificatePolicy>,
    /// Ask for must-staple (RFC 7633).
    #[arg(long)]
    pub must_staple: bool,
    /// Ask for a subject key identifier: SHA-1 of the key, or the bytes given.
    #[arg(
        long = "subject-key-id",
        value_name = "HEX",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = subject_key_identifier
    )]
    pub subject_key_identifier: Option<SubjectKeyIdentifier>,
    /// Name of a Microsoft certificate template of version 1.
    #[arg(long = "ms-template-name", value_name = "NAME")]
    pub microsoft_template_name: Option<String>,
    /// Microsoft certificate template of a later version.
    #[arg(long = "ms-template", value_name = "OID[:MAJOR[:MINOR]]", value_parser = microsoft_template)]
    pub microsoft_template: Option<MicrosoftTemplate>,
    /// Any other extension; may be repeated.
    #[arg(long = "extension", value_name = "OID=[critical,]DER:HEX", value_parser = other)]
    pub other: Vec<OtherExtension>,
}

/// The notice comes last and may have semicolons.
fn policy(text: &str) -> Result<CertificatePolicy, String> {
    let (rest, notice) = match text.split_once(";notice=") {
        Some((rest, notice)) => (rest, Some(notice.to_owned())),
        None => (text, None),
    };
    let mut parts = rest.split(';');
    let oid = parts.next().unwrap_or_default().to_owned();
    let cps = parts.map(|part| {
        let uri = part.strip_prefix("cps=").map(str::to_owned);
        uri.ok_or_else(|| format!("`{part}` is neither cps=URI nor notice=TEXT"))
    });
    Ok(CertificatePolicy { oid, cps: cps.collect::<Result<_, _>>()?, notice })
}

// What can go wrong is told by the service; clap wants a Result.
#[expect(clippy::unnecessary_wraps, reason = "the signature that clap asks for")]
fn subject_key_identifier(text: &str) -> Result<SubjectKeyIdentifier, String> {
    Ok(match text {
        "" => SubjectKeyIdentifier::OfKey(true),
        hex => SubjectKeyIdentifier::Given(hex.to_owned()),
    })
}

fn microsoft_template(text: &str) -> Result<MicrosoftTemplate, String> {
    let mut parts = text.split(':');
    let oid = parts.next().unwrap_or_default().to_owned();
    let mut version =
        || parts.next().map(|part| part.parse().map_err(|_| format!("`{part}` is no version"))).transpose();
    let (major, minor) = (version()?, version()?);
    match parts.next() {
        None => Ok(MicrosoftTemplate { oid, major, minor }),
        Some(more) => Err(format!("`{more}` is one part too many")),
    }
}

fn other(text: &str) -> Result<OtherExtension, String> {
    let shape = "is written OID=DER:HEX or OID=critical,DER:HEX";
    let (oid, value) = text.split_once('=').ok_or(shape)?;
    let (critical, value) = match value.strip_prefix("critical,") {
        Some(value) => (true, value),
        None => (false, value),
    };
    let value = value.strip_prefix("DER:").ok_or(shape)?.to_owned();
    Ok(OtherExtension { oid: oid.to_owned(), critical, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_their_qualifiers_behind_semicolons() {
        let found = policy("1.2.3;cps=https://a.example/?x=y;notice=a; b=c").unwrap();
        assert_eq!((found.oid.as_str(), found.notice.as_deref()), ("1.2.3", Some("a; b=c")));
        assert_eq!(found.cps, ["https://a.example/?x=y"]);
        assert!(policy("1.2.3;https://a.example").is_err());
    }

    #[test]
    fn templates_have_their_versions_behind_colons() {
        let found = microsoft_template("1.2.3:100:7").unwrap();
        assert_eq!((found.oid.as_str(), found.major, found.minor), ("1.2.3", Some(100), Some(7)));
        assert_eq!(microsoft_template("1.2.3").unwrap().major, None);
        assert!(microsoft_template("1.2.3:x").is_err());
        assert!(microsoft_template("1.2.3:1:2:3").is_err());
    }

    #[test]
    fn other_extensions_are_written_as_openssl_does() {
        let found = other("1.2.3=critical,DER:0500").unwrap();
        assert_eq!((found.oid.as_str(), found.critical, found.value.as_str()), ("1.2.3", true, "0500"));
        assert!(!other("1.2.3=DER:0500").unwrap().critical);
        assert!(other("1.2.3=0500").is_err());
        assert!(other("1.2.3").is_err());
    }
}
