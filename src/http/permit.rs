//! Authorised before the body is read: [`Permit`] comes from the headers alone, and the only way to
//! a body is [`PermittedBody`], which has passed it.

use std::marker::PhantomData;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::error::Failure;
use super::peer::Peer;
use super::refusals::FoundOut;
use super::request_id::{KnownPrincipal, RequestId};
use super::{BODY_LIMIT, Context};
use crate::app::Caller;
use crate::app::access::is_powerful;
use crate::auth::{Identity, Presented};
use crate::domain::access::{Grants, Permission, Scope, TenantId};
use crate::domain::audit::Actor;
use crate::domain::id::Handle;
use crate::domain::invalid::Invalid;

/// A body must have arrived after so long: a client that trickles holds a connection, not a handler.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Names a tenant; without it, the principal's usual one is meant.
const TENANT: &str = "Strongroom-Tenant";

/// What a handler needs, as a type: a handler that takes `Permit<needs::CsrRead>` cannot be called
/// without that permission.
pub trait Needed: Send + Sync + 'static {
    /// The permission; `None`: to be known is enough, and the use case looks further.
    const PERMISSION: Option<Permission>;
}

/// One type per permission that a route needs.
pub mod needs {
    use super::{Needed, Permission};

    macro_rules! needs {
        ($($name:ident = $permission:expr),+ $(,)?) => {$(
            /// See the permission of that name.
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl Needed for $name {
                const PERMISSION: Option<Permission> = $permission;
            }
        )+};
    }

    needs! {
        AnyPrincipal = None,
        CsrCreate = Some(Permission::CsrCreate),
        CsrRead = Some(Permission::CsrRead),
        CsrApprove = Some(Permission::CsrApprove),
        CsrCancel = Some(Permission::CsrCancel),
        CertificateMarry = Some(Permission::CertificateMarry),
        CertificateRead = Some(Permission::CertificateRead),
        CertificateIssue = Some(Permission::CertificateIssue),
        CertificateRevoke = Some(Permission::CertificateRevoke),
        AuthorityRead = Some(Permission::AuthorityRead),
        AuthorityManage = Some(Permission::AuthorityManage),
        KeyRead = Some(Permission::KeyRead),
        KeyDestroy = Some(Permission::KeyDestroy),
        TokenRead = Some(Permission::TokenRead),
        TokenOperate = Some(Permission::TokenOperate),
        TemplateRead = Some(Permission::TemplateRead),
        AccessRead = Some(Permission::AccessRead),
        AccessManage = Some(Permission::AccessManage),
        AuditRead = Some(Permission::AuditRead),
        SystemRead = Some(Permission::SystemRead),
        SystemOperate = Some(Permission::SystemOperate),
    }
}

/// The right to call a handler: the principal is known and has the permission.
#[derive(Debug)]
pub struct Permit<N> {
    /// Who calls, for which tenant.
    pub caller: Caller,
    found: Option<FoundOut>,
    needed: PhantomData<N>,
}

impl<N> Clone for Permit<N> {
    fn clone(&self) -> Self {
        Self { caller: self.caller.clone(), found: self.found.clone(), needed: PhantomData }
    }
}

impl Permit<needs::AnyPrincipal> {
    /// The same for a tenant that is found out only from what is asked for.
    ///
    /// # Errors
    /// 403 when a permission is needed that he does not have there.
    pub fn within<N: Needed>(&self, tenant: TenantId) -> Result<Permit<N>, Failure> {
        let caller = Caller { tenant, ..self.caller.clone() };
        if let Some(found) = &self.found {
            found.is(caller.actor());
        }
        match N::PERMISSION {
            Some(permission) if !caller.may(permission) => Err(Failure::denied(permission, false)),
            _ => Ok(Permit { caller, found: self.found.clone(), needed: PhantomData }),
        }
    }
}

impl<N: Needed, S> FromRequestParts<S> for Permit<N>
where
    S: Send + Sync,
    Context: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        // A handler that refuses a path only to who may call it takes a permit before the path, and
        // the body's after it: it is one HTTP request all the same.
        if let Some(permit) = parts.extensions.get::<Self>() {
            return Ok(permit.clone());
        }
        let caller = authorised(parts, &Context::from_ref(state), N::PERMISSION).await?;
        let found = parts.extensions.get::<FoundOut>().cloned();
        let permit = Self { caller, found, needed: PhantomData };
        parts.extensions.insert(permit.clone());
        Ok(permit)
    }
}

/// What a surface reads from an HTTP request of its own kind, in the place of what the native one looks at. Put among
/// the request's extensions before a permit is asked for.
#[derive(Clone)]
pub struct Terms {
    /// What the client is known by; the connection counts where there is nothing.
    pub shown: Option<Shown>,
    /// Names of the tenants that can be meant: of those, the one that the principal has a grant in.
    pub tenants: Vec<String>,
}

/// A credential in a header.
#[derive(Clone)]
pub enum Shown {
    /// A bearer secret.
    Bearer(Zeroizing<String>),
    /// User name and password.
    Basic(Zeroizing<String>, Zeroizing<String>),
    /// An access token that was found good: the handle of the credential that it stands for.
    Granted(Handle),
    /// Something else, which nobody is known by.
    Unknown,
}

impl Shown {
    /// Reads the header `Authorization`.
    pub fn authorization(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            // A proxy before us may have looked at the other one.
            (_, Some(_)) => return Some(Self::Unknown),
            (value, None) => value.filter(|value| !value.is_empty())?,
        };
        let (scheme, secret) =
            value.to_str().ok().and_then(|value| value.split_once(' ')).unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(Zeroizing::new(secret.trim().to_owned())));
        }
        let pair = decoded(secret.trim());
        match pair.split_once(':') {
            Some((user, secret)) if scheme.eq_ignore_ascii_case("basic") => {
                Some(Self::Basic(Zeroizing::new(user.to_owned()), Zeroizing::new(secret.to_owned())))
            }
            _ => Some(Self::Unknown),
        }
    }

    fn presented(&self) -> Option<Presented<'_>> {
        match self {
            Self::Bearer(secret) => Some(Presented::Bearer(secret)),
            Self::Basic(user, secret) => Some(Presented::Basic(user, secret)),
            Self::Granted(credential) => Some(Presented::Granted(*credential)),
            Self::Unknown => None,
        }
    }
}

/// The right of whoever owns the machine, by the Unix socket: only to make the first admin.
#[derive(Clone, Copy, Debug)]
pub struct LocalUser {
    /// Who.
    pub uid: u32,
}

impl<S: Send + Sync> FromRequestParts<S> for LocalUser {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match parts.extensions.get::<Peer>() {
            Some(Peer::Unix { uid, .. }) => {
                found_out(parts, Actor::Uid(*uid));
                Ok(Self { uid: *uid })
            }
            _ => Err(Failure::unauthenticated()),
        }
    }
}

async fn authorised(
    parts: &Parts,
    context: &Context,
    permission: Option<Permission>,
) -> Result<Caller, Failure> {
    let peer = parts.extensions.get::<Peer>();
    let version = context.app.access_version();
    let identity = identified(parts, context, peer, version).await?;
    let origin = peer.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let actor = |tenant| Actor::Principal {
        handle: identity.principal,
        from: origin.clone(),
        tenant,
        request: request_id.clone(),
    };
    found_out(parts, actor(None));
    if let Some(known) = parts.extensions.get::<KnownPrincipal>() {
        known.tell(identity.principal);
    }
    context.limits.request(identity.principal).map_err(|wait| {
        Failure::too_many("limit.requests", "this principal sends too many requests; slow down", wait)
    })?;
    let grants = &identity.grants;
    let named = named_tenant(&parts.headers)?;
    let tenant = match (named, parts.extensions.get::<Terms>()) {
        (named, Some(terms)) => among(context, version, grants, &terms.tenants, named).await?,
        // One that does not exist is refused like one of others.
        (Some(name), None) => {
            context.authenticator.tenant(version, name).await?.filter(|id| grants.reach(*id))
        }
        (None, None) => grants.usual_tenant(),
    };
    found_out(parts, actor(tenant));
    let has_terms = parts.extensions.get::<Terms>().is_some();
    match (permission, tenant) {
        (None, _) => {}
        (Some(permission), Some(tenant)) if grants.allow(permission, tenant) => {}
        (Some(permission), None)
            if permission.scope() == Scope::Appliance && grants.allow(permission, TenantId::DEFAULT) => {}
        (Some(permission), None)
            if named.is_none()
                && !has_terms
                && permission.scope() == Scope::Tenant
                && !grants.0.is_empty() =>
        {
            let reason = "say which tenant: you have grants in several and none in `default`";
            return Err(Invalid::new(TENANT, reason).into());
        }
        (Some(permission), _) => return Err(Failure::denied(permission, named.is_some())),
    }
    Ok(Caller {
        principal: identity.principal,
        credential: identity.credential,
        tenant: tenant.unwrap_or(TenantId::DEFAULT),
        origin,
        request_id,
        grants: identity.grants,
    })
}

/// Of the tenants that a surface serves, the one that is named or the only one with a grant.
async fn among(
    context: &Context,
    version: u64,
    grants: &Grants,
    served: &[String],
    named: Option<&str>,
) -> Result<Option<TenantId>, Failure> {
    let mut reached = Vec::new();
    for name in served.iter().filter(|name| named.is_none_or(|named| named == **name)) {
        reached.extend(context.authenticator.tenant(version, name).await?.filter(|id| grants.reach(*id)));
    }
    match reached.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        [_, _, ..] => {
            let reason = "say which tenant: you have grants in several that this API serves";
            Err(Invalid::new(TENANT, reason).into())
        }
    }
}

/// Tells who it is to whoever puts refusals on record.
fn found_out(parts: &Parts, actor: Actor) {
    if let Some(found) = parts.extensions.get::<FoundOut>() {
        found.is(actor);
    }
}

/// Who it is: by what a header shows, else by the connection.
async fn identified(
    parts: &Parts,
    context: &Context,
    peer: Option<&Peer>,
    version: u64,
) -> Result<Identity, Failure> {
    let from = peer.and_then(Peer::ip);
    let shown = match parts.extensions.get::<Terms>() {
        Some(terms) => terms.shown.clone(),
        None => Shown::authorization(&parts.headers),
    };
    let presented = match &shown {
        Some(shown) => {
            if let Some(Err(wait)) = from.map(|from| context.limits.may_log_in(from)) {
                let detail = "too many logins failed from this address; credentials are not looked at";
                return Err(Failure::too_many("limit.logins", detail, wait));
            }
            shown.presented()
        }
        None => match peer {
            // Also one that was mapped while the service ran as another user.
            Some(Peer::Unix { uid, .. }) => (!is_powerful(*uid)).then_some(Presented::Uid(*uid)),
            Some(peer) => peer.certificate_sha256().map(Presented::ClientCertificate),
            None => None,
        },
    };
    if let Some(presented) = presented
        && let Some(identity) = context.authenticator.identify(version, presented).await?
    {
        return Ok(identity);
    }
    if let Some(from) = from
        && shown.is_some()
    {
        context.limits.failed_login(from);
    }
    Err(Failure::unauthenticated())
}

/// The header `Strongroom-Tenant`.
fn named_tenant(headers: &HeaderMap) -> Result<Option<&str>, Invalid> {
    let mut values = headers.get_all(TENANT).iter();
    match (values.next().map(HeaderValue::to_str).transpose(), values.next()) {
        (_, Some(_)) => Err(Invalid::new(TENANT, "stands there more than once")),
        (named, None) => named.map_err(|_| Invalid::new(TENANT, "must be the name of a tenant")),
    }
}

/// User name and password (RFC 7617 section 2); empty when it is not such a thing.
fn decoded(encoded: &str) -> Zeroizing<String> {
    let bytes = BASE64_STANDARD.decode(encoded).unwrap_or_default();
    Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())
}

/// The body of a permitted request, whole and within the limit.
#[derive(Debug)]
pub struct PermittedBody<P> {
    /// Who sent it.
    pub permit: P,
    /// The bytes.
    pub bytes: Bytes,
    content_type: Option<String>,
}

impl<P, S> FromRequest<S> for PermittedBody<P>
where
    P: FromRequestParts<S, Rejection = Failure> + Send,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request(request: Request, context: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let permit = P::from_request_parts(&mut parts, context).await?;
        let content_type =
            parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let declared =
            parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if declared.is_some_and(|length: u64| length > BODY_LIMIT as u64) {
            return Err(too_large());
        }
        let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
        let bytes = match collected {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Err(_)) => {
                return Err(Failure::new(
                    StatusCode::BAD_REQUEST,
                    "body.cut",
                    "the body ended before its length",
                ));
            }
            Err(_) => {
                let detail = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
                return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "body.timeout", detail));
            }
        };
        Ok(Self { permit, bytes, content_type })
    }
}

impl<P> PermittedBody<P> {
    /// What the client says that it is, without parameters and in lower case.
    pub fn media_type(&self) -> Option<String> {
        let essence = self.content_type.as_deref()?.split(';').next()?;
        Some(essence.trim().to_ascii_lowercase())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 415 for another content type; 400 for what is not such a document, with line and column, and
    /// with the field that is unknown or of another type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if let Some(given) = &self.content_type {
            let essence = given.split(';').next().unwrap_or_default().trim();
            if !essence.eq_ignore_ascii_case("application/json") {
                let detail = format!("the body must be application/json, not {essence}");
                return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body.content-type", detail));
            }
        }
        // serde reads a struct from a list of its fields, too; no client means that.
        if self.bytes.trim_ascii_start().first() == Some(&b'[') {
            let detail = "the body: an object is expected, not a list";
            return Err(Failure::new(StatusCode::BAD_REQUEST, "body.invalid", detail));
        }
        let mut json = serde_json::Deserializer::from_slice(&self.bytes);
        let document = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            no_such_document(Some(path).filter(|path| path != "."), &error.into_inner())
        })?;
        json.end().map_err(|error| no_such_document(None, &error))?;
        Ok(document)
    }
}

/// Names the field where it is one field that is wrong, not the JSON itself.
fn no_such_document(path: Option<String>, error: &serde_json::Error) -> Failure {
    let failure =
        |detail: String| Failure::new(StatusCode::BAD_REQUEST, "body.invalid", format!("the body: {detail}"));
    let Some(field) = path.filter(|_| error.is_data()) else { return failure(error.to_string()) };
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let reason = text.strip_suffix(&place).unwrap_or(&text);
    failure(format!("{field}: {text}")).with_field(Invalid::new(field, reason))
}

fn too_large() -> Failure {
    let detail = format!("the body is larger than {BODY_LIMIT} bytes");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body.too-large", detail)
}
