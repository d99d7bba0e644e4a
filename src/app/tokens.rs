//! Looking at tokens and at pages of signing requests.

use super::probe::Standing;
use super::reconcile::Report;
use super::watch::TokenHealth;
use super::{
    App, Caller, Error, NumberedFilter, NumberedPage, Order, Page, RequestFilter, SlotInfo, Sorting, Token,
    TokenStatus,
};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::key::Evidence;
use crate::domain::signing_request::SigningRequest;

/// What the configuration says of how a token is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// Married certificates are written to the token, beside their keys.
    pub write_certificates: bool,
    /// Keys that it may hold, those being made included; as many as it takes when absent.
    pub capacity: Option<usize>,
}

/// A token, as an operator wants to see it.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// The configured name.
    pub name: String,
    /// What its worker says.
    pub status: TokenStatus,
    /// What its sentinel says.
    pub health: TokenHealth,
    /// What the evidence of its keys is worth.
    pub evidence: Evidence,
    /// What the negative probes found, once there were any.
    pub standing: Option<Standing>,
    /// What the last reconciliation found, and when.
    pub report: Option<(Timestamp, Report)>,
    /// Keys that take room on it by the index, those being made included.
    pub used: usize,
    /// Keys that it may hold, if the configuration says so.
    pub capacity: Option<usize>,
}

impl App {
    /// Every configured token.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn tokens(&self) -> Result<Vec<TokenView>, Error> {
        let mut views = Vec::new();
        for token in self.0.hsm.tokens() {
            let name = token.name().to_owned();
            let used: Result<_, Error> =
                self.0.store.read(move |view| Ok(view.keys_taking_room(&name)?)).await;
            views.push(TokenView {
                name: token.name().to_owned(),
                status: token.status(),
                health: self.health(token.name()),
                evidence: self.evidence_on(token.name()),
                standing: self.standing(token.name()).await?,
                report: self.last_report(token.name()).await?,
                used: used?,
                capacity: self.rules(token.name()).capacity,
            });
        }
        Ok(views)
    }

    /// The slots that the module of a token shows.
    ///
    /// # Errors
    /// No such token, or its worker is down.
    pub async fn slots(&self, token: &str) -> Result<Vec<SlotInfo>, Error> {
        let token = self.0.hsm.token(token).ok_or_else(|| Error::not_found("token", token))?;
        Ok(token.slots().await?)
    }

    /// The token that a row of the index names: `None` when it is not configured any more.
    pub fn configured_token(&self, name: &str) -> Option<Token> {
        self.0.hsm.token(name)
    }

    /// A part of the list of the caller's tenant with the total: at most `limit` signing requests in any of the states
    /// with a key of any of the kinds, leaving out the first `offset`.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn numbered_requests(
        &self,
        filter: NumberedFilter,
        sorting: Sorting,
        descending: bool,
        offset: u64,
        limit: usize,
    ) -> Result<NumberedPage, Error> {
        self.0
            .store
            .read(move |view| Ok(view.numbered_page(&filter, sorting, descending, offset, limit)?))
            .await
    }

    /// The signing request with that number in the caller's tenant.
    ///
    /// # Errors
    /// [`Kind::NotFound`](super::Kind::NotFound), or the index cannot be read.
    pub async fn signing_request_numbered(
        &self,
        caller: &Caller,
        number: u32,
    ) -> Result<SigningRequest, Error> {
        let tenant = caller.tenant;
        let found: Result<_, Error> =
            self.0.store.read(move |view| Ok(view.signing_request_numbered(tenant, number)?)).await;
        found?.ok_or_else(|| Error::not_found("signing request", number))
    }

    /// A page of signing requests, each with what the evidence of its key is worth.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn signing_requests(
        &self,
        filter: RequestFilter,
        order: Order,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<(SigningRequest, Evidence)>, Error> {
        let found: Result<_, Error> = self
            .0
            .store
            .read(move |view| {
                let page = view.page_of_signing_requests(&filter, order, after, limit)?;
                let evidence = page.items.iter().map(|request| match request.key {
                    Some(key) => Ok(view.evidence_of_key(key)?),
                    None => Ok(None),
                });
                let evidence: Vec<_> = evidence.collect::<Result<_, Error>>()?;
                Ok((page, evidence))
            })
            .await;
        let (page, known) = found?;
        let items = page.items.into_iter().zip(known).map(|(request, known)| {
            let evidence = match known {
                Some(known) => self.with_warning_on(&request.token, known),
                None => self.evidence_without_key(&request),
            };
            (request, evidence)
        });
        Ok(Page { items: items.collect(), next: page.next })
    }
}
