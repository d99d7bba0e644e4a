//! What extensions are called where a rule is about one of them.

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;

use super::Extensions;
use super::other::own_field;

/// An extension of a CSR besides the alternative names. Written, and serialised, as its field in
/// [`Extensions`], or as a dotted OID where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionName {
    /// KeyUsage
    KeyUsage,
    /// ExtendedKeyUsage
    ExtendedKeyUsage,
    /// BasicConstraints
    BasicConstraints,
    /// CertificatePolicies
    CertificatePolicies,
    /// NameConstraints
    NameConstraints,
    /// SubjectKeyIdentifier
    SubjectKeyIdentifier,
    /// TLS feature
    TlsFeatures,
    /// Microsoft's certificate template name
    MicrosoftTemplateName,
    /// Microsoft's certificate template information
    MicrosoftTemplate,
    /// One of [`Extensions::other`]
    Other(ObjectIdentifier),
}

const WITH_FIELD: [(ExtensionName, &str); 9] = [
    (ExtensionName::KeyUsage, "key_usage"),
    (ExtensionName::ExtendedKeyUsage, "extended_key_usage"),
    (ExtensionName::BasicConstraints, "basic_constraints"),
    (ExtensionName::CertificatePolicies, "certificate_policies"),
    (ExtensionName::NameConstraints, "name_constraints"),
    (ExtensionName::SubjectKeyIdentifier, "subject_key_identifier"),
    (ExtensionName::TlsFeatures, "tls_features"),
    (ExtensionName::MicrosoftTemplateName, "microsoft_template_name"),
    (ExtensionName::MicrosoftTemplate, "microsoft_template"),
];

impl Extensions {
    /// The extensions that are there.
    pub fn names(&self) -> Vec<ExtensionName> {
        let with_field = WITH_FIELD.iter().map(|(name, _)| *name).filter(|name| self.has(*name));
        with_field.chain(self.other.iter().map(|other| ExtensionName::Other(other.oid))).collect()
    }

    /// Whether the extension is there.
    pub fn has(&self, name: ExtensionName) -> bool {
        match name {
            ExtensionName::KeyUsage => !self.key_usage.is_empty(),
            ExtensionName::ExtendedKeyUsage => !self.extended_key_usage.is_empty(),
            ExtensionName::BasicConstraints => self.basic_constraints.is_some(),
            ExtensionName::CertificatePolicies => !self.certificate_policies.is_empty(),
            ExtensionName::NameConstraints => self.name_constraints.is_some(),
            ExtensionName::SubjectKeyIdentifier => self.subject_key_identifier.is_some(),
            ExtensionName::TlsFeatures => !self.tls_features.is_empty(),
            ExtensionName::MicrosoftTemplateName => self.microsoft_template_name.is_some(),
            ExtensionName::MicrosoftTemplate => self.microsoft_template.is_some(),
            ExtensionName::Other(oid) => self.other.iter().any(|other| other.oid == oid),
        }
    }

    /// Whether `self` has all that `asked` says of the extension: of a list each item, in any order;
    /// of anything else the same value.
    pub fn covers(&self, name: ExtensionName, asked: &Self) -> bool {
        fn all<T: PartialEq>(asked: &[T], set: &[T]) -> bool {
            asked.iter().all(|item| set.contains(item))
        }
        match name {
            ExtensionName::KeyUsage => all(&asked.key_usage, &self.key_usage),
            ExtensionName::ExtendedKeyUsage => all(&asked.extended_key_usage, &self.extended_key_usage),
            ExtensionName::BasicConstraints => asked.basic_constraints == self.basic_constraints,
            ExtensionName::CertificatePolicies => {
                all(&asked.certificate_policies, &self.certificate_policies)
            }
            ExtensionName::NameConstraints => asked.name_constraints == self.name_constraints,
            ExtensionName::SubjectKeyIdentifier => {
                asked.subject_key_identifier == self.subject_key_identifier
            }
            ExtensionName::TlsFeatures => all(&asked.tls_features, &self.tls_features),
            ExtensionName::MicrosoftTemplateName => {
                asked.microsoft_template_name == self.microsoft_template_name
            }
            ExtensionName::MicrosoftTemplate => asked.microsoft_template == self.microsoft_template,
            ExtensionName::Other(oid) => {
                asked.other.iter().filter(|other| other.oid == oid).all(|other| self.other.contains(other))
            }
        }
    }

    /// These extensions, and those of `more` that are not among them.
    #[must_use]
    pub fn or(self, more: Self) -> Self {
        fn either<T>(own: Vec<T>, more: Vec<T>) -> Vec<T> {
            if own.is_empty() { more } else { own }
        }
        let mut other = self.other;
        for one in more.other {
            if !other.iter().any(|own| own.oid == one.oid) {
                other.push(one);
            }
        }
        Self {
            key_usage: either(self.key_usage, more.key_usage),
            extended_key_usage: either(self.extended_key_usage, more.extended_key_usage),
            basic_constraints: self.basic_constraints.or(more.basic_constraints),
            certificate_policies: either(self.certificate_policies, more.certificate_policies),
            name_constraints: self.name_constraints.or(more.name_constraints),
            subject_key_identifier: self.subject_key_identifier.or(more.subject_key_identifier),
            tls_features: either(self.tls_features, more.tls_features),
            microsoft_template_name: self.microsoft_template_name.or(more.microsoft_template_name),
            microsoft_template: self.microsoft_template.or(more.microsoft_template),
            other,
        }
    }
}

impl FromStr for ExtensionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((name, _)) = WITH_FIELD.iter().find(|(_, field)| *field == text) {
            return Ok(*name);
        }
        let oid = ObjectIdentifier::new(text).map_err(|_| {
            let fields: Vec<&str> = WITH_FIELD.iter().map(|(_, field)| *field).collect();
            format!("an extension is one of {}, or a dotted OID", fields.join(", "))
        })?;
        match own_field(oid) {
            Some(field) => Err(format!("{oid} is spoken of as `{field}`")),
            None => Ok(Self::Other(oid)),
        }
    }
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, WITH_FIELD.iter().find(|(name, _)| name == self)) {
            (Self::Other(oid), _) => oid.fmt(f),
            (_, Some((_, field))) => f.write_str(field),
            (_, None) => fmt::Debug::fmt(self, f),
        }
    }
}

serialised_as_text!(ExtensionName);
