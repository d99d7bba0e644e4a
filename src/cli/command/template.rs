//! `strongroom template`: issuing templates, as the service has them, or looked at without one.

use std::str::FromStr;

use hyper::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::csr::extensions_of;
use crate::api;
use crate::cli::args::{Target, Template as Args, TryTemplate};
use crate::cli::client::{Call, Client, escape};
use crate::cli::report::{Failure, Report, facts, table};
use crate::config::templates::template;
use crate::domain::algorithm::{Digest, KeyKind, Padding};
use crate::domain::csr::{ChallengePassword, CsrSpec};
use crate::domain::extensions::ExtensionName;
use crate::domain::invalid::Invalid;
use crate::domain::policy::{BrokenRule, Effective, KeyChoice, Wish, evaluate};
use crate::domain::san::San;
use crate::domain::template::{Approval, Template};

pub fn run(target: &Target, args: Args, report: &Report) -> Result<(), Failure> {
    match args {
        Args::List => {
            let (_, templates): (_, api::Templates) =
                Client::new(target)?.json(Call::new(Method::GET, "/templates"))?;
            report.print(&templates, |templates| rows(&templates.items))
        }
        Args::Show { name } => {
            let call = Call::new(Method::GET, format!("/templates/{}", escape(&name)));
            let (_, template): (_, api::Template) = Client::new(target)?.json(call)?;
            report.print(&template, |template| format!("{:#}\n", template.rules))
        }
        Args::Check { file } => {
            let template = template(&file).map_err(Failure::broken)?;
            report.print(&template, |template| format!("{file} is good\n{}", summary(template)))
        }
        Args::Try(asked) => {
            let template = template(&asked.file).map_err(Failure::broken)?;
            let wish = wish(*asked).map_err(|invalid| invalid_input(&invalid))?;
            let got = evaluate(&template, wish).map_err(|broken| refused(&template, &broken))?;
            report.print(&document(&template, &got), |_| text(&got))
        }
    }
}

fn rows(templates: &[api::TemplateSummary]) -> String {
    table(
        ["NAME", "KINDS", "APPROVAL", "DESCRIPTION"],
        templates.iter().map(|template| {
            [
                template.name.clone(),
                template.kinds.join(" "),
                if template.needs_approval { "yes" } else { "no" }.to_owned(),
                template.description.clone(),
            ]
        }),
    )
}

fn wish(asked: TryTemplate) -> Result<Wish, Vec<Invalid>> {
    let mut wrong = Vec::new();
    let subject = keep(&mut wrong, asked.subject.parse().map_err(|invalid| vec![invalid]));
    let sans = keep(&mut wrong, San::parse_list(&asked.sans));
    let extensions = keep(&mut wrong, read("extensions", &json!(extensions_of(asked.extensions))));
    let kind = keep(&mut wrong, parsed::<KeyKind>("key.kind", asked.kind.as_deref()));
    let digest = keep(&mut wrong, parsed::<Digest>("digest", asked.digest.as_deref()));
    let padding = keep(&mut wrong, parsed::<Padding>("padding", asked.padding.as_deref()));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let kind = kind.flatten();
    let key = match (asked.reuse_key, kind, asked.token) {
        (true, Some(kind), Some(token)) => KeyChoice::Existing { kind, token },
        (_, kind, token) => KeyChoice::New { kind, token },
    };
    let spec = CsrSpec {
        subject: subject.unwrap_or_default(),
        sans: sans.unwrap_or_default(),
        extensions: extensions.unwrap_or_default(),
        challenge_password: asked
            .with_challenge_password
            .then(|| ChallengePassword::new("in place of a password".to_owned())),
        unstructured_name: asked.unstructured_name,
    };
    let (digest, padding) = (digest.flatten(), padding.flatten());
    Ok(Wish { spec, key, digest, padding, validity_days: asked.days })
}

fn keep<T>(wrong: &mut Vec<Invalid>, result: Result<T, Vec<Invalid>>) -> Option<T> {
    result.map_err(|invalid| wrong.extend(invalid)).ok()
}

/// Arguments in the form of the wire, which is that of the domain.
fn read<T: DeserializeOwned>(field: &str, wire: &Value) -> Result<T, Vec<Invalid>> {
    serde_path_to_error::deserialize(wire)
        .map_err(|error| vec![Invalid::new(format!("{field}.{}", error.path()), error.inner().to_string())])
}

fn parsed<T>(field: &str, text: Option<&str>) -> Result<Option<T>, Vec<Invalid>>
where
    T: FromStr<Err: ToString>,
{
    text.map(str::parse).transpose().map_err(|error: T::Err| vec![Invalid::new(field, error.to_string())])
}

fn invalid_input(invalid: &[Invalid]) -> Failure {
    Failure::Refused(invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn refused(template: &Template, broken: &[BrokenRule]) -> Failure {
    let error = format!("the request breaks {} rule(s) of template `{}`", broken.len(), template.name);
    let lines: String = broken.iter().map(|rule| format!("\n  {rule}")).collect();
    let rules: Vec<Value> = broken
        .iter()
        .map(|broken| json!({ "rule": broken.rule, "field": broken.field, "reason": broken.message }))
        .collect();
    Failure::RefusedWith {
        text: format!("{error}{lines}"),
        document: json!({ "error": error, "broken": rules }),
    }
}

/// For machines. By hand, not by the serialisation of the specification: that has the password.
fn document(template: &Template, got: &Effective) -> Value {
    json!({
        "template": template.name,
        "subject": got.spec.subject,
        "sans": got.spec.sans,
        "extensions": got.spec.extensions,
        "unstructured_name": got.spec.unstructured_name,
        "has_challenge_password": got.spec.challenge_password.is_some(),
        "key": { "kind": got.kind, "token": got.token },
        "signature": got.scheme,
        "validity_days": got.validity_days,
        "approval": got.approval,
    })
}

fn text(got: &Effective) -> String {
    let extensions = &got.spec.extensions;
    let is_shown =
        |name: &ExtensionName| matches!(name, ExtensionName::KeyUsage | ExtensionName::ExtendedKeyUsage);
    let others: Vec<_> = extensions.names().into_iter().filter(|name| !is_shown(name)).collect();
    facts([
        ("subject", Some(got.spec.subject.to_string()).filter(|subject| !subject.is_empty())),
        ("sans", list(&got.spec.sans)),
        ("key usage", list(&extensions.key_usage)),
        ("extended key usage", list(&extensions.extended_key_usage)),
        ("other extensions", list(&others)),
        ("unstructured name", got.spec.unstructured_name.clone()),
        ("challenge password", got.spec.challenge_password.as_ref().map(|_| "not shown".to_owned())),
        ("kind", Some(got.kind.to_string())),
        ("signature", Some(got.scheme.to_string())),
        ("token", Some(got.token.clone().unwrap_or_else(|| "the default one".to_owned()))),
        ("validity", got.validity_days.map(|days| format!("{days} days"))),
        ("approval", got.approval.as_ref().map(approval)),
    ])
}

fn summary(template: &Template) -> String {
    let subject = template.subject.types.iter().filter(|(_, rules)| rules.max > 0).map(|(kind, _)| kind);
    let sans = template.sans.kinds.iter().filter(|(_, rules)| rules.max != Some(0)).map(|(kind, _)| kind);
    let validity = template.validity;
    facts([
        ("name", Some(template.name.clone())),
        ("description", Some(template.description.clone()).filter(|text| !text.is_empty())),
        ("tenant", template.tenant.clone()),
        ("subject", list(&subject.collect::<Vec<_>>())),
        ("sans", list(&sans.collect::<Vec<_>>())),
        ("key kinds", list(&template.keys.kinds)),
        ("default kind", Some(template.keys.default.to_string())),
        ("schemes", list(&template.keys.schemes)),
        ("token", template.token.clone()),
        ("extensions set", list(&template.extensions.set.names())),
        ("extensions allowed", list(&template.extensions.allowed)),
        ("default validity", validity.default.map(|days| format!("{days} days"))),
        ("longest validity", validity.max.map(|days| format!("{days} days"))),
        ("approval", template.approval.as_ref().map(approval)),
    ])
}

fn approval(approval: &Approval) -> String {
    list(&approval.by).map_or_else(|| "by anyone who may".to_owned(), |names| format!("by {names}"))
}

fn list<T: ToString>(items: &[T]) -> Option<String> {
    (!items.is_empty()).then(|| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
