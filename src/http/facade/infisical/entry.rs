//! What every call passes: the access token, and the projects in which the caller has what the call needs. Which of
//! them is meant is found out from the CA, or from the body, behind it.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use zeroize::Zeroizing;

use super::asked::ProjectRef;
use super::error::{Refused, TOKEN};
use super::{Surface, convert};
use crate::app::Caller;
use crate::app::authorities::AuthorityView;
use crate::auth::access_token::{AccessTokens, NotTaken};
use crate::domain::access::TenantId;
use crate::domain::id::Handle;
use crate::http::error::Failure;
use crate::http::permit::{Needed, Permit, PermittedBody, Shown, Terms, needs};

/// What an API key begins with: it is taken like a token of the vendor's Token Auth.
const API_KEY: &str = "srk_";

/// The right to call a handler, in at least one of the projects.
#[derive(Debug)]
pub(super) struct Entry<N> {
    permit: Permit<needs::AnyPrincipal>,
    projects: Vec<Reached>,
    needed: PhantomData<N>,
}

/// The body of such a call.
pub(super) type Body<N> = PermittedBody<Entry<N>>;

/// A project that the caller has a role in.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    /// What clients name it by.
    pub(super) id: String,
    slug: String,
    tenant: TenantId,
}

/// A CA, and the right to do there what the call needs.
#[derive(Debug)]
pub(super) struct Found {
    /// Who calls, for the CA's tenant.
    pub(super) caller: Caller,
    /// The CA's project.
    pub(super) project: Reached,
    /// The CA.
    pub(super) view: AuthorityView,
}

impl Found {
    /// The CA's handle.
    pub(super) fn handle(&self) -> Handle {
        self.view.authority.handle
    }
}

impl<N: Needed> FromRequestParts<Surface> for Entry<N> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, surface: &Surface) -> Result<Self, Failure> {
        let (shown, unknown) = credential(&parts.headers, &surface.settings.tokens)?;
        parts.extensions.insert(Terms { shown, tenants: Vec::new() });
        let permit = Permit::from_request_parts(parts, surface).await;
        let permit = permit.map_err(|failure| match failure.code() {
            "auth.unauthenticated" => unknown,
            _ => failure,
        })?;
        let projects = reached(surface, &permit.caller).await?;
        let may = |permission| {
            projects.iter().any(|project| permit.caller.grants.allow(permission, project.tenant))
        };
        match N::PERMISSION {
            Some(permission) if !may(permission) => Err(Failure::denied(permission, false)),
            _ => Ok(Self { permit, projects, needed: PhantomData }),
        }
    }
}

impl<N: Needed> Entry<N> {
    /// The CA with that id. One of another project is as if there were none.
    ///
    /// # Errors
    /// There is none that is shown, or the caller may not do there what the call needs.
    pub(super) async fn found(&self, surface: &Surface, id: &str) -> Result<Found, Refused> {
        let app = &surface.context.app;
        let unknown = || Refused::not_found(format!("CA with ID '{id}' not found"));
        let handle = id.parse().map_err(|_| unknown())?;
        let tenants: Vec<_> = self.projects.iter().map(|project| project.tenant).collect();
        let tenant = match app.tenant_of_authority(handle, &tenants).await {
            Err(error) if error.code() == "not-found" => return Err(unknown()),
            tenant => tenant?,
        };
        let project = self.projects.iter().find(|project| project.tenant == tenant).ok_or_else(unknown)?;
        let caller = self.permit.within::<N>(tenant)?.caller;
        let view = app.authority(&caller, handle).await?;
        if !convert::is_shown(&view.authority) {
            return Err(unknown());
        }
        Ok(Found { caller, project: project.clone(), view })
    }

    /// The project that is named; without a name, the only one.
    ///
    /// # Errors
    /// There is none, or the caller may not do there what the call needs.
    pub(super) fn project(&self, named: Option<&ProjectRef>) -> Result<(Caller, Reached), Refused> {
        let project = match (named, self.projects.as_slice()) {
            (None, [only]) => only,
            (None, _) => {
                let message = "say which project: you have roles in several";
                return Err(Refused::bad_request("project.unnamed", message));
            }
            (Some(named), projects) => {
                let is_meant = |project: &&Reached| match named {
                    ProjectRef::Id(id) => project.id == *id,
                    ProjectRef::Slug(slug) => project.slug == *slug,
                };
                let found = projects.iter().find(is_meant);
                found.ok_or_else(|| Refused::not_found(format!("{named} not found")))?
            }
        };
        Ok((self.permit.within::<N>(project.tenant)?.caller, project.clone()))
    }

    /// The caller in each project where he may do what the call needs.
    pub(super) fn callers(&self) -> impl Iterator<Item = Caller> {
        let permits = self.projects.iter().filter_map(|project| self.permit.within::<N>(project.tenant).ok());
        permits.map(|permit| permit.caller)
    }
}

/// What is shown, and what the client is told when nobody is known by that.
fn credential(headers: &HeaderMap, tokens: &AccessTokens) -> Result<(Option<Shown>, Failure), Failure> {
    let unauthorized =
        |message: &str| Failure::new(StatusCode::UNAUTHORIZED, "auth.unauthenticated", message);
    let token = match Shown::authorization(headers) {
        Some(Shown::Bearer(token)) if !token.is_empty() => token,
        Some(_) => return Ok((Some(Shown::Unknown), unauthorized("Token missing"))),
        None => return Ok((None, unauthorized("Token missing"))),
    };
    if token.starts_with(API_KEY) {
        return Ok((Some(Shown::Bearer(token)), unauthorized("Invalid credentials")));
    }
    match tokens.read(&token) {
        Ok(credential) => {
            let message = "Failed to authorize revoked access token, access token is revoked";
            Ok((Some(Shown::Granted(credential)), unauthorized(message)))
        }
        // Once it was good: no guess, which would count as a failed login.
        Err(NotTaken::Expired) => Err(not_taken(NotTaken::Expired)),
        Err(reason) => Ok((Some(Shown::Unknown), not_taken(reason))),
    }
}

fn not_taken(reason: NotTaken) -> Failure {
    let message = match reason {
        NotTaken::Expired => "Your token has expired. Please re-authenticate.",
        NotTaken::Algorithm => {
            "The access token is signed with an invalid algorithm. Please provide a valid token and try again."
        }
        NotTaken::Signature => "invalid signature",
        NotTaken::Malformed => {
            "The provided access token is malformed. Please use a valid token or generate a new one and try again."
        }
    };
    Failure::new(StatusCode::FORBIDDEN, TOKEN, message)
}

async fn reached(surface: &Surface, caller: &Caller) -> Result<Vec<Reached>, Failure> {
    let (context, mut projects) = (&surface.context, Vec::new());
    let version = context.app.access_version();
    for (id, project) in &surface.settings.projects {
        let tenant = context.authenticator.tenant(version, &project.tenant).await?;
        if let Some(tenant) = tenant.filter(|tenant| caller.grants.reach(*tenant)) {
            projects.push(Reached { id: id.clone(), slug: project.slug.clone(), tenant });
        }
    }
    Ok(projects)
}

/// The body as JSON; none is `null`.
///
/// # Errors
/// 415 for another media type, 400 for what is no JSON.
pub(super) fn json<P>(body: &PermittedBody<P>) -> Result<Value, Failure> {
    if let Some(given) = body.media_type().filter(|given| given != "application/json") {
        let detail = format!("Unsupported Media Type: {given}; the body must be application/json");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body.content-type", detail));
    }
    if body.bytes.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body.bytes).map_err(|error| {
        Failure::new(StatusCode::BAD_REQUEST, "body.invalid", format!("the body is no JSON: {error}"))
    })
}

/// What a login shows: see [`super::login`].
pub(super) struct Pair {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
}
