//! The vendor's JSON. What comes in is read as the vendor's .NET does: names in any case, numbers also as text, null
//! and unknown fields passed over.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::invalid::Invalid;
use crate::http::error::Failure;

/// SANs by their kind, as they came.
pub(super) type Sans = BTreeMap<String, Option<Vec<String>>>;

/// Body of `POST /CSRGeneration/Generate`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GenerateCsr {
    /// X.500 name, separated by commas: `CN=www.example.com,O=Example\, Inc.,C=US`.
    #[schema(required = true, nullable = false)]
    pub(super) subject: Option<String>,
    /// `RSA`, `ECC` or `ED25519`; `ED448` and `ML-DSA-...` are refused.
    #[schema(required = true, nullable = false)]
    pub(super) key_type: Option<String>,
    /// RSA: 2048, 3072, 4096, 6144 or 8192; ECC: 256, 384 or 521; ED25519: 255. 0 is as if it were absent.
    #[serde(default, deserialize_with = "whole_number")]
    pub(super) key_length: Option<i32>,
    /// OID of the curve; by KeyLength when absent.
    pub(super) curve: Option<String>,
    /// Refused: there are no hybrid CSRs here.
    pub(super) alternative_key_type: Option<String>,
    /// Refused, too; 0 is as if it were absent.
    #[serde(default, deserialize_with = "whole_number")]
    pub(super) alternative_key_length: Option<i32>,
    /// Refused, too.
    pub(super) alternative_curve: Option<String>,
    /// Lists of names by kind: `other`, `rfc822`, `dns`, `directory`, `uri`, `ip`, `ip4`, `ip6`, `registeredid`,
    /// `ms_ntprincipalname`, `ms_ntdsreplication`; `x400` and `ediparty` are refused.
    #[serde(rename = "SANs")]
    #[schema(value_type = Option<BTreeMap<String, Vec<String>>>)]
    pub(super) sans: Option<Sans>,
    /// Stands for an issuing template.
    pub(super) template: Option<String>,
    /// Stands for an issuing template, too, and wins; 0 is as if it were absent.
    #[serde(default, deserialize_with = "whole_number")]
    pub(super) enrollment_pattern_id: Option<i32>,
}

/// Answer of `POST /CSRGeneration/Generate`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GeneratedCsr {
    /// PEM
    #[serde(rename = "CSR")]
    pub(super) csr: String,
}

/// An item of the pending list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PendingCsr {
    /// From 1 on, within the tenant.
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    pub(super) id: u32,
    /// PEM
    #[serde(rename = "CSR")]
    pub(super) csr: String,
    /// RFC 3339, in UTC.
    #[schema(format = DateTime)]
    pub(super) request_time: String,
    /// For people: the parts of the subject, the SANs, the length of the key, the hash.
    pub(super) subject: Vec<String>,
}

/// Answer of `GET /CSRGeneration/Pending/{id}`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PendingCsrFile {
    /// A name for a file.
    #[serde(rename = "CSRFilePath")]
    pub(super) path: String,
    /// PEM
    #[serde(rename = "CSRText")]
    pub(super) text: String,
}

/// Body of `POST /Enrollment/CSR`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Enroll {
    /// PEM, or its base64 alone: a CSR that was generated here.
    #[serde(rename = "CSR")]
    #[schema(required = true, nullable = false)]
    pub(super) csr: Option<String>,
    /// Kept with the enrolment.
    pub(super) certificate_authority: Option<String>,
    /// Whether the chain is sent with the certificate.
    pub(super) include_chain: Option<bool>,
    /// Kept with the enrolment, and sent back.
    #[schema(value_type = Option<Object>)]
    pub(super) metadata: Option<Map<String, Value>>,
    /// Kept with the enrolment.
    pub(super) template: Option<String>,
    /// Kept with the enrolment.
    #[serde(default, deserialize_with = "whole_number")]
    pub(super) enrollment_pattern_id: Option<i32>,
    /// Those of the CSR, or none: it is signed already.
    #[serde(rename = "SANs")]
    #[schema(value_type = Option<BTreeMap<String, Vec<String>>>)]
    pub(super) sans: Option<Sans>,
}

/// Answer of `POST /Enrollment/CSR`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Enrolled {
    /// What is known of the certificate.
    pub(super) certificate_information: CertificateInformation,
    /// As it was sent.
    #[schema(value_type = Object)]
    pub(super) metadata: Map<String, Value>,
}

/// In the answer of `POST /Enrollment/CSR`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CertificateInformation {
    /// In upper-case hexadecimal; null before there is a certificate, like the next two.
    pub(super) serial_number: Option<String>,
    /// RFC 4514
    #[serde(rename = "IssuerDN")]
    pub(super) issuer_dn: Option<String>,
    /// SHA-1 of the certificate, in upper-case hexadecimal.
    pub(super) thumbprint: Option<String>,
    /// The pending CSR's id; 0 before there is a certificate.
    #[serde(rename = "KeyfactorID")]
    pub(super) keyfactor_id: u32,
    /// The certificate, and its chain if it was asked for: base64 of DER, or PEM by the header X-CertificateFormat.
    pub(super) certificates: Vec<String>,
    /// The pending CSR's id.
    pub(super) keyfactor_request_id: u32,
    /// `PENDING` or `ISSUED`
    pub(super) request_disposition: &'static str,
    /// For people.
    pub(super) disposition_message: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    pub(super) enrollment_context: Option<Map<String, Value>>,
}

/// Every failure.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Problem {
    /// `0x` and eight hexadecimal digits.
    #[schema(pattern = "^0x[0-9A-F]{8}$")]
    pub(super) error_code: String,
    /// What is wrong, naming the field.
    pub(super) message: String,
}

/// A body that is an object.
pub(super) trait Document: DeserializeOwned {
    /// Its fields as the vendor writes them.
    const FIELDS: &'static [&'static str];
}

impl Document for GenerateCsr {
    const FIELDS: &'static [&'static str] = &[
        "Subject",
        "KeyType",
        "KeyLength",
        "Curve",
        "AlternativeKeyType",
        "AlternativeKeyLength",
        "AlternativeCurve",
        "SANs",
        "Template",
        "EnrollmentPatternId",
    ];
}

impl Document for Enroll {
    const FIELDS: &'static [&'static str] = &[
        "CSR",
        "CertificateAuthority",
        "IncludeChain",
        "Metadata",
        "Template",
        "EnrollmentPatternId",
        "SANs",
    ];
}

/// The document in a body.
///
/// # Errors
/// 400 that names the field of another type.
pub(super) fn document<T: Document>(body: Value) -> Result<T, Failure> {
    let Value::Object(fields) = body else {
        return Err(malformed("an object is expected"));
    };
    let mut known = Map::new();
    for (name, value) in fields {
        let Some(field) = T::FIELDS.iter().find(|field| field.eq_ignore_ascii_case(&name)) else { continue };
        if known.insert((*field).to_owned(), value).is_some() {
            return Err(Invalid::new(*field, "stands twice, in different cases").into());
        }
    }
    // Not an `Invalid`: its path may hold a name of the client's, which stays off the record.
    serde_path_to_error::deserialize(Value::Object(known)).map_err(|error| {
        let detail = format!("{}: {}", error.path(), error.inner());
        Failure::new(StatusCode::BAD_REQUEST, "body.invalid", detail)
    })
}

/// The ids in a body that is a list.
///
/// # Errors
/// 400 for what is no list of whole numbers of 32 bits.
pub(super) fn ids(body: Value) -> Result<Vec<i32>, Failure> {
    let Value::Array(items) = body else {
        return Err(malformed("a list of ids is expected, such as [17, 18]"));
    };
    let id = |(at, item): (usize, &Value)| {
        item.as_i64().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| {
            Invalid::new(format!("[{at}]"), "an id is a whole number of 32 bits, such as 17").into()
        })
    };
    items.iter().enumerate().map(id).collect()
}

/// 400 for a body that is wrong as a whole.
pub(super) fn malformed(reason: impl Into<String>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "body.invalid", format!("the body: {}", reason.into()))
}

/// An int as Json.NET reads it: also from text, and from a fraction without one. 0 is what generated clients send for
/// one that was not set.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_i64().or_else(|| {
            let digits = number.to_string();
            digits.strip_suffix(".0").and_then(|digits| digits.parse().ok())
        }),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number.and_then(|number| i32::try_from(number).ok());
    let number = number.ok_or_else(|| serde::de::Error::custom("must be a whole number of 32 bits"))?;
    Ok(Some(number).filter(|number| *number != 0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_known_in_any_case_and_others_passed_over() {
        let body = json!({ "subject": "CN=a", "KEYTYPE": "RSA", "keyLength": "2048", "sans": { "dns": ["a"] },
                           "Timestamp": 1, "Curve": null });
        let read: GenerateCsr = document(body).unwrap();
        assert_eq!((read.subject.as_deref(), read.key_type.as_deref()), (Some("CN=a"), Some("RSA")));
        assert_eq!((read.key_length, read.curve), (Some(2048), None));
        assert_eq!(read.sans.unwrap()["dns"].as_deref().unwrap(), ["a"]);
    }

    #[test]
    fn numbers_are_read_as_the_vendor_does() {
        let length =
            |value: Value| document::<GenerateCsr>(json!({ "KeyLength": value })).map(|read| read.key_length);
        for (value, number) in [
            (json!(2048), Some(2048)),
            (json!(2048.0), Some(2048)),
            (json!(" 2048 "), Some(2048)),
            (json!(""), None),
            (json!(0), None),
            (Value::Null, None),
            (json!(-1), Some(-1)),
        ] {
            assert_eq!(length(value.clone()).unwrap(), number, "{value}");
        }
        for value in
            [json!(2048.5), json!(2_147_483_648_u32), json!("x"), json!(true), json!([1]), json!(1e300)]
        {
            let told = length(value).unwrap_err();
            assert_eq!(told.detail(), "KeyLength: must be a whole number of 32 bits");
        }
    }

    #[test]
    fn what_is_no_such_document_is_told_with_its_field() {
        let told = |body| document::<GenerateCsr>(body).unwrap_err().detail().to_owned();
        assert_eq!(told(json!([])), "the body: an object is expected");
        assert_eq!(told(json!({ "Curve": "a", "curve": "b" })), "Curve: stands twice, in different cases");
        let wrong = told(json!({ "sans": { "dns": "a.example" } }));
        assert!(wrong.starts_with("SANs.dns: invalid type"), "{wrong}");
        let wrong = told(json!({ "sans": { "dns": ["a", null] } }));
        assert!(wrong.starts_with("SANs.dns[1]: invalid type"), "{wrong}");
    }

    #[test]
    fn ids_are_a_list_of_whole_numbers() {
        assert_eq!(ids(json!([17, -1, 17])).unwrap(), [17, -1, 17]);
        for (body, told) in [
            (json!({}), "the body: a list of ids is expected, such as [17, 18]"),
            (json!([1, "2"]), "[1]: an id is a whole number of 32 bits, such as 17"),
            (json!([2_147_483_648_u32]), "[0]: an id is a whole number of 32 bits, such as 17"),
            (json!([1.5]), "[0]: an id is a whole number of 32 bits, such as 17"),
        ] {
            assert_eq!(ids(body).unwrap_err().detail(), told);
        }
    }
}
