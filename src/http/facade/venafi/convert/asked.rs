//! What is asked for.

use std::str::FromStr;

use super::super::wire;
use crate::app::produce::{KeyWish, Wish};
use crate::domain::algorithm::KeyKind;
use crate::domain::csr::CsrSpec;
use crate::domain::invalid::Invalid;
use crate::domain::name::Name;
use crate::domain::san::San;

const KEY: &str = "csrAttributes.keyTypeParameters";

/// The wish for a key and a CSR that are made here.
///
/// # Errors
/// Every field that breaks a rule.
pub(in super::super) fn wish(asked: wire::CsrAttributes) -> Result<Wish, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let kind = asked.key_type_parameters.as_ref().map(kind).transpose().unwrap_or_else(|invalid| {
        wrong.push(invalid);
        None
    });
    let sans = sans(asked.subject_alternative_names_by_type.as_ref(), &mut wrong);
    let subject = subject(&asked).unwrap_or_else(|invalid| {
        wrong.push(invalid);
        Name::default()
    });
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(Wish {
        spec: CsrSpec { subject, sans, ..CsrSpec::default() },
        key: KeyWish::New { kind, token: None },
        digest: None,
        padding: None,
        renews: None,
        template: None,
        validity_days: None,
        submission: None,
        at_once: false,
    })
}

/// In the conventional order of the encoding. An empty value is none: clients send it for what was not set.
fn subject(asked: &wire::CsrAttributes) -> Result<Name, Invalid> {
    let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
    let given = [
        ("C", "country", one(&asked.country)),
        ("ST", "state", one(&asked.state)),
        ("L", "locality", one(&asked.locality)),
        ("O", "organization", one(&asked.organization)),
        ("OU", "organizationalUnits", asked.organizational_units.clone().unwrap_or_default()),
        ("CN", "commonName", one(&asked.common_name)),
    ];
    let mut rdns = Vec::new();
    for (kind, field, values) in given {
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            let rdn = vec![(kind, value)];
            Name::from_rdns(std::slice::from_ref(&rdn))
                .map_err(|invalid| Invalid { field: format!("csrAttributes.{field}"), ..invalid })?;
            rdns.push(rdn);
        }
    }
    Name::from_rdns(&rdns)
}

fn sans(asked: Option<&wire::SansByType>, wrong: &mut Vec<Invalid>) -> Vec<San> {
    let Some(asked) = asked else { return Vec::new() };
    let kinds = [
        ("DNS", "dnsNames", &asked.dns_names),
        ("IP", "ipAddresses", &asked.ip_addresses),
        ("email", "rfc822Names", &asked.rfc822_names),
        ("URI", "uniformResourceIdentifiers", &asked.uniform_resource_identifiers),
    ];
    let mut sans = Vec::new();
    for (kind, field, values) in kinds {
        for (at, value) in values.iter().flatten().enumerate() {
            match San::from_str(&format!("{kind}:{value}")) {
                Ok(san) if sans.contains(&san) => {}
                Ok(san) => sans.push(san),
                Err(invalid) => {
                    let field = format!("csrAttributes.subjectAlternativeNamesByType.{field}[{at}]");
                    wrong.push(Invalid { field, position: None, ..invalid });
                }
            }
        }
    }
    sans
}

fn kind(asked: &wire::KeyTypeParameters) -> Result<KeyKind, Invalid> {
    let name = match asked.key_type.as_deref().map(str::to_ascii_uppercase).as_deref() {
        Some("RSA") => format!("rsa-{}", asked.key_length.unwrap_or(2048)),
        Some("EC") => match asked.key_curve.as_deref().unwrap_or("P256").to_ascii_uppercase().as_str() {
            "P256" => "ec-p256".to_owned(),
            "P384" => "ec-p384".to_owned(),
            "P521" => "ec-p521".to_owned(),
            "ED25519" => "ed25519".to_owned(),
            _ => {
                let reason = "must be P256, P384, P521 or ED25519";
                return Err(Invalid::new(format!("{KEY}.keyCurve"), reason));
            }
        },
        _ => return Err(Invalid::new(format!("{KEY}.keyType"), "must be RSA or EC")),
    };
    name.parse().map_err(|_| Invalid::new(format!("{KEY}.keyLength"), "must be 2048, 3072, 4096 or 8192"))
}

/// The SHA-1 that is searched for.
///
/// # Errors
/// Another search than for one fingerprint.
pub(in super::super) fn fingerprint(search: wire::Search) -> Result<[u8; 20], Invalid> {
    let operands = search.expression.unwrap_or_default().operands.unwrap_or_default();
    let [operand] = operands.as_slice() else {
        let reason = "must have one operand, for the field `fingerprint`";
        return Err(Invalid::new("expression.operands", reason));
    };
    let is = |value: &Option<String>, known: &[&str]| {
        value.as_deref().is_some_and(|value| known.iter().any(|known| known.eq_ignore_ascii_case(value)))
    };
    if !is(&operand.field, &["fingerprint"]) {
        let reason = "must be `fingerprint`: certificates are searched for by nothing else";
        return Err(Invalid::new("expression.operands[0].field", reason));
    }
    if !is(&operand.operator, &["MATCH", "EQ"]) {
        return Err(Invalid::new("expression.operands[0].operator", "must be MATCH or EQ"));
    }
    let value = operand.value.as_ref().and_then(|value| value.as_str()).unwrap_or_default();
    sha1("expression.operands[0].value", value)
}

/// A SHA-1 in hexadecimal, with or without colons.
///
/// # Errors
/// What is none.
pub(in super::super) fn sha1(field: &str, text: &str) -> Result<[u8; 20], Invalid> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let mut bytes = [0; 20];
    hex::decode_to_slice(digits, &mut bytes)
        .map_err(|_| Invalid::new(field, "must be the SHA-1 of the certificate's DER, in hexadecimal"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wished(attributes: serde_json::Value) -> Result<Wish, Vec<String>> {
        let asked = serde_json::from_value(attributes).unwrap();
        wish(asked).map_err(|wrong| wrong.into_iter().map(|invalid| invalid.field).collect())
    }

    #[test]
    fn attributes_become_a_wish() {
        let wish = wished(json!({
            "commonName": "gw.lab.example", "organization": "Lab B.V.", "organizationalUnits": ["Ops", "Net"],
            "locality": "Amersfoort", "state": "", "country": "NL",
            "subjectAlternativeNamesByType": { "dnsNames": ["GW.lab.example"], "ipAddresses": ["10.20.30.40"],
                "rfc822Names": ["ops@lab.example"], "uniformResourceIdentifiers": ["https://gw.lab.example/"] },
            "keyTypeParameters": { "keyType": "ec", "keyCurve": "p384" },
        }))
        .unwrap();
        assert_eq!(
            wish.spec.subject.to_string(),
            "CN=gw.lab.example,OU=Net,OU=Ops,O=Lab B.V.,L=Amersfoort,C=NL"
        );
        let sans: Vec<_> = wish.spec.sans.iter().map(ToString::to_string).collect();
        let expected =
            ["DNS:gw.lab.example", "IP:10.20.30.40", "email:ops@lab.example", "URI:https://gw.lab.example/"];
        assert_eq!(sans, expected);
        let KeyWish::New { kind: Some(kind), .. } = wish.key else { panic!() };
        assert_eq!(kind.name(), "ec-p384");
        let KeyWish::New { kind: None, .. } = wished(json!({})).unwrap().key else { panic!() };
    }

    #[test]
    fn every_wrong_attribute_is_named() {
        let wrong = wished(json!({
            "country": "Netherlands", "subjectAlternativeNamesByType": { "dnsNames": ["a.example", "-"] },
            "keyTypeParameters": { "keyType": "RSA", "keyLength": 1024 },
        }));
        let named = [
            "csrAttributes.keyTypeParameters.keyLength",
            "csrAttributes.subjectAlternativeNamesByType.dnsNames[1]",
            "csrAttributes.country",
        ];
        assert_eq!(wrong.unwrap_err(), named);
        for (parameters, field) in [
            (json!({}), "keyType"),
            (json!({ "keyType": "DSA" }), "keyType"),
            (json!({ "keyType": "EC", "keyCurve": "P224" }), "keyCurve"),
        ] {
            let wrong = wished(json!({ "keyTypeParameters": parameters })).unwrap_err();
            assert_eq!(wrong, [format!("{KEY}.{field}")]);
        }
    }

    #[test]
    fn a_search_is_for_one_fingerprint() {
        let search = |operands: serde_json::Value| {
            let search = serde_json::from_value(json!({ "expression": { "operands": operands } })).unwrap();
            fingerprint(search).map_err(|invalid| invalid.field)
        };
        let operand = |field: &str, operator: &str, value: &str| json!([{ "field": field, "operator": operator, "value": value }]);
        let hash = "AB".repeat(20);
        assert_eq!(search(operand("fingerprint", "MATCH", &hash)).unwrap(), [0xab; 20]);
        assert_eq!(search(operand("fingerprint", "EQ", &["ab"; 20].join(":"))).unwrap(), [0xab; 20]);
        for (operands, field) in [
            (json!([]), "expression.operands"),
            (operand("subjectCN", "MATCH", "a"), "expression.operands[0].field"),
            (operand("fingerprint", "GT", &hash), "expression.operands[0].operator"),
            (operand("fingerprint", "MATCH", "ab"), "expression.operands[0].value"),
        ] {
            assert_eq!(search(operands).unwrap_err(), field);
        }
    }
}
