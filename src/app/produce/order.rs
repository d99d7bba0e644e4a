//! From what is wished for to what is to be made: under an issuing template, or by the rules for every
//! CSR alone.

use super::{KeyWish, Wish};
use crate::app::templates::refused_by;
use crate::app::{App, Caller, Error, Token};
use crate::domain::algorithm::{KeyKind, Scheme};
use crate::domain::csr::CsrSpec;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;
use crate::domain::key::Key;
use crate::domain::policy::{self, KeyChoice};
use crate::domain::signing_request::{KeySource, SigningRequest, State, Submission, TemplateUse};
use crate::domain::template::{Approval, Template};

/// The kind of a new key when neither request nor template says: small, fast and accepted everywhere.
const DEFAULT_KIND: &str = "ec-p256";

/// What is to be made.
pub(super) struct Order {
    pub(super) spec: CsrSpec,
    pub(super) key: OrderedKey,
    pub(super) scheme: Scheme,
    pub(super) renews: Option<Handle>,
    pub(super) template: Option<TemplateUse>,
    /// Who issues as soon as there is a CSR.
    pub(super) authority: Option<Handle>,
    pub(super) validity_days: Option<u32>,
    pub(super) submission: Option<Submission>,
    /// Who has to approve it first.
    pub(super) approval: Option<Approval>,
}

pub(super) enum OrderedKey {
    New { kind: KeyKind, token: Token },
    Existing(Key),
}

impl App {
    pub(super) async fn order(&self, caller: &Caller, wish: Wish) -> Result<Order, Error> {
        let Some(template) = self.template_for(caller, wish.template.as_deref()).await? else {
            return self.order_without_template(caller, wish).await;
        };
        self.order_under(caller, &template, wish).await
    }

    async fn order_without_template(&self, caller: &Caller, wish: Wish) -> Result<Order, Error> {
        let mut problems = wish.spec.validate().err().unwrap_or_default();
        if wish.validity_days == Some(0) {
            problems.push(Invalid::new("validity_days", "must be at least 1"));
        }
        if !problems.is_empty() {
            return Err(Error::invalid(problems));
        }
        let (key, scheme) = match wish.key {
            KeyWish::New { kind, token } => {
                let kind = kind.map_or_else(default_kind, Ok)?;
                wish.spec.validate_for(kind).map_err(Error::invalid)?;
                let scheme = kind.scheme_with(wish.digest, wish.padding)?;
                (OrderedKey::New { kind, token: self.token_for(token)? }, scheme)
            }
            KeyWish::Existing(handle) => {
                let key = self.usable_key(caller, handle).await?;
                wish.spec.validate_for(key.kind).map_err(Error::invalid)?;
                let scheme = key.kind.scheme_with(wish.digest, wish.padding)?;
                (OrderedKey::Existing(key), scheme)
            }
        };
        Ok(Order {
            spec: wish.spec,
            key,
            scheme,
            renews: wish.renews,
            template: None,
            authority: None,
            validity_days: wish.validity_days,
            submission: wish.submission,
            approval: None,
        })
    }

    async fn order_under(&self, caller: &Caller, template: &Template, wish: Wish) -> Result<Order, Error> {
        let authority = self.authority_of_template(caller.tenant, template).await?;
        let existing = match &wish.key {
            KeyWish::New { .. } => None,
            KeyWish::Existing(handle) => Some(self.usable_key(caller, *handle).await?),
        };
        let key = match (wish.key, &existing) {
            (KeyWish::New { kind, token }, _) => KeyChoice::New { kind, token },
            (KeyWish::Existing(_), Some(key)) => {
                KeyChoice::Existing { kind: key.kind, token: key.token.clone() }
            }
            (KeyWish::Existing(_), None) => return Err(Error::bug("a key was looked up and is not there")),
        };
        let (digest, padding, validity_days) = (wish.digest, wish.padding, wish.validity_days);
        let judged = policy::Wish { spec: wish.spec, key, digest, padding, validity_days };
        let got = policy::evaluate(template, judged).map_err(|broken| refused_by(template, broken))?;
        let key = match existing {
            Some(key) => OrderedKey::Existing(key),
            None => OrderedKey::New { kind: got.kind, token: self.token_for(got.token)? },
        };
        Ok(Order {
            spec: got.spec,
            key,
            scheme: got.scheme,
            renews: wish.renews,
            template: Some(TemplateUse { name: template.name.clone(), sha256: hex::encode(template.sha256) }),
            authority,
            validity_days: got.validity_days,
            submission: wish.submission,
            approval: got.approval,
        })
    }

    /// The signing request for an order, as it begins.
    pub(super) async fn begun(
        &self,
        caller: &Caller,
        order: Order,
        state: State,
    ) -> Result<SigningRequest, Error> {
        let place = self.next_place(caller.tenant).await?;
        let (token, kind, key_source) = match &order.key {
            OrderedKey::New { kind, token } => (token.name().to_owned(), *kind, KeySource::New),
            OrderedKey::Existing(key) => (key.token.clone(), key.kind, KeySource::Existing),
        };
        Ok(SigningRequest {
            handle: place.handle,
            tenant: caller.tenant,
            number: place.number,
            principal: caller.principal,
            token,
            kind,
            scheme: order.scheme,
            spec: order.spec,
            key_source,
            renews: order.renews,
            template: order.template,
            authority: order.authority,
            validity_days: order.validity_days,
            submission: order.submission,
            continues: false,
            state,
            key: None,
            csr: None,
            failure: None,
            created_at: place.created_at,
            updated_at: place.created_at,
        })
    }
}

pub(in crate::app) fn default_kind() -> Result<KeyKind, Error> {
    DEFAULT_KIND.parse().map_err(|_| Error::bug("the default key kind is none"))
}
