//! The issuing templates that are in force: which a signing request is judged by, and how they are
//! replaced while the service runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::json;

use super::{App, Caller, Error};
use crate::domain::access::TenantId;
use crate::domain::approval::sha256_of;
use crate::domain::audit::{Actor, Event};
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::policy::BrokenRule;
use crate::domain::template::{Template, Templates};
use crate::store::View;

/// Which template judges a request that names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateRules {
    /// By the name of the tenant.
    pub by_default: BTreeMap<String, String>,
    /// Whether a request that has none by then is refused.
    pub required: bool,
}

/// The templates in force, and why newer files are not.
#[derive(Default)]
pub(super) struct InForce(RwLock<State>);

#[derive(Default)]
struct State {
    templates: Templates,
    refused: Option<String>,
}

impl InForce {
    pub(super) fn new(templates: Templates) -> Self {
        Self(RwLock::new(State { templates, refused: None }))
    }

    /// A snapshot.
    pub(super) fn now(&self) -> Templates {
        self.0.read().unwrap_or_else(PoisonError::into_inner).templates.clone()
    }

    fn refused(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl App {
    /// The templates that the caller's tenant may use, by name.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn templates(&self, caller: &Caller) -> Result<Vec<Arc<Template>>, Error> {
        let tenant = self.tenant_name(caller.tenant).await?;
        Ok(usable_by(&self.0.templates.now(), &tenant))
    }

    /// The template of that name, if the caller's tenant may use it.
    ///
    /// # Errors
    /// [`Kind::NotFound`](super::Kind::NotFound), or the index cannot be read.
    pub async fn template(&self, caller: &Caller, name: &str) -> Result<Arc<Template>, Error> {
        let tenant = self.tenant_name(caller.tenant).await?;
        let found = self.0.templates.now().for_tenant(&tenant, name).cloned();
        found.ok_or_else(|| Error::not_found("template", name))
    }

    /// Puts other templates in force for every request from now on. On record before it happens.
    ///
    /// # Errors
    /// The index cannot be written; the former ones stay.
    pub async fn replace_templates(&self, templates: Templates) -> Result<(), Error> {
        let hash = hash_of(&templates);
        if hash != hash_of(&self.0.templates.now()) {
            let detail = json!({ "sha256": hash, "templates": hashes_of(&templates) });
            self.record_templates("templates.reloaded", detail).await?;
        }
        self.0.templates.update(|state| *state = State { templates, refused: None });
        Ok(())
    }

    /// Notes that newer files are of no use, so that the former templates stay in force.
    ///
    /// # Errors
    /// The index cannot be written.
    pub async fn keep_templates(&self, reason: String) -> Result<(), Error> {
        self.0.templates.update(|state| state.refused = Some(reason.clone()));
        self.record_templates("templates.refused", json!({ "reason": reason })).await
    }

    /// Why the files of templates, as they are now, are not in force.
    pub fn templates_refused(&self) -> Option<String> {
        self.0.templates.refused()
    }

    /// The template that a request of the caller is judged by: the one it names, else its tenant's.
    pub(super) async fn template_for(
        &self,
        caller: &Caller,
        named: Option<&str>,
    ) -> Result<Option<Arc<Template>>, Error> {
        let rules = &self.0.template_rules;
        if named.is_none() && rules.by_default.is_empty() && !rules.required {
            return Ok(None);
        }
        let tenant = self.tenant_name(caller.tenant).await?;
        let templates = self.0.templates.now();
        let Some(name) = named.or_else(|| rules.by_default.get(&tenant).map(String::as_str)) else {
            if !rules.required {
                return Ok(None);
            }
            let reason =
                format!("say which, since every request needs one; {}", offered(&templates, &tenant));
            return Err(Error::refused("template.required", vec![Invalid::new("template", reason)]));
        };
        let found = templates.for_tenant(&tenant, name).cloned();
        found.map(Some).ok_or_else(|| {
            let reason = format!("there is no template `{name}`; {}", offered(&templates, &tenant));
            Error::refused("template.unknown", vec![Invalid::new("template", reason)])
        })
    }

    /// The template of that name that a tenant may use, as it is now.
    pub(super) fn template_now(
        &self,
        view: &View,
        tenant: TenantId,
        name: &str,
    ) -> Result<Option<Arc<Template>>, Error> {
        Ok(self.0.templates.now().for_tenant(&name_of(view, tenant)?, name).cloned())
    }

    /// The authority that a template names: it issues as soon as there is a CSR.
    pub(super) async fn authority_of_template(
        &self,
        tenant: TenantId,
        template: &Template,
    ) -> Result<Option<Handle>, Error> {
        let Some(name) = template.authority.clone() else { return Ok(None) };
        let wanted = name.clone();
        let found: Result<_, Error> =
            self.0.store.read(move |view| Ok(view.authority_by_name(tenant, &wanted)?)).await;
        found?.map(|authority| Some(authority.handle)).ok_or_else(|| {
            let reason = format!(
                "template `{}` names the authority `{name}`, and there is none; make it",
                template.name
            );
            Error::refused("template.authority", vec![Invalid::new("template", reason)])
        })
    }

    /// The name of a tenant.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn tenant_name(&self, tenant: TenantId) -> Result<String, Error> {
        self.0.store.read(move |view| name_of(view, tenant)).await
    }

    async fn record_templates(&self, action: &'static str, detail: serde_json::Value) -> Result<(), Error> {
        let (now, event) = (self.now(), Event { action, subject: "templates".to_owned(), detail });
        self.0.store.write(move |tx| Ok(tx.append_audit(&Actor::System, now, &event)?)).await
    }
}

/// The refusal of a wish that breaks rules of a template, each by name.
pub(super) fn refused_by(template: &Template, broken: Vec<BrokenRule>) -> Error {
    let invalid = broken
        .into_iter()
        .map(|broken| Invalid { rule: Some(broken.rule), ..Invalid::new(broken.field, broken.message) });
    let invalid: Vec<_> = invalid.collect();
    tracing::debug!(template = template.name, rules = invalid.len(), "refused by the template");
    Error::refused("policy.refused", invalid)
}

/// SHA-256 of each file, by the name of the template.
fn hashes_of(templates: &Templates) -> serde_json::Value {
    let hash = |template: &Arc<Template>| (template.name.clone(), json!(hex::encode(template.sha256)));
    serde_json::Value::Object(templates.iter().map(hash).collect())
}

fn hash_of(templates: &Templates) -> String {
    hex::encode(sha256_of(&hashes_of(templates)))
}

fn name_of(view: &View, tenant: TenantId) -> Result<String, Error> {
    let found = view.tenants()?.into_iter().find(|known| known.id == tenant);
    found.map(|tenant| tenant.name).ok_or_else(|| Error::bug("a caller's tenant is not in the index"))
}

fn usable_by(templates: &Templates, tenant: &str) -> Vec<Arc<Template>> {
    templates.iter().filter(|template| template.is_usable_by(tenant)).cloned().collect()
}

fn offered(templates: &Templates, tenant: &str) -> String {
    let names: Vec<_> = usable_by(templates, tenant).iter().map(|template| template.name.clone()).collect();
    if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) }
}
