//! The appliance as a whole: its backup.

use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::channel::{Channel, Sender};
use tokio::io::AsyncReadExt;

use super::principals::NO_STORE;
use super::problem::{EveryCall, WithBody};
use crate::app::Snapshot;
use crate::http::Context;
use crate::http::error::Failure;
use crate::http::permit::{Permit, PermittedBody, needs};
use crate::http::uninterrupted::uninterrupted;

/// What SQLite registered for its files.
const SQLITE: &str = "application/vnd.sqlite3";
/// A few pieces on the way are enough to keep a client busy.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 4;

/// Copy the index while it is in use. The answer is the database in one file, examined; `Repr-Digest`
/// (RFC 9530) has its SHA-256. It holds no
/// private key, PIN or secret of a credential; names, challengePasswords and the audit log it does.
#[utoipa::path(
    post, path = "/backup", tag = "system", operation_id = "backUp",
    responses(
        (status = 200, description = "The index as of now", body = Vec<u8>, content_type = SQLITE),
        EveryCall,
        WithBody,
    )
)]
pub(super) async fn back_up(
    State(context): State<Context>,
    // None is needed; one that came unread would have the connection reset under the long answer.
    body: PermittedBody<Permit<needs::SystemOperate>>,
) -> Result<Response, Failure> {
    uninterrupted(async move {
        let Snapshot { file, length, sha256, .. } = context.app.back_up(&body.permit.caller).await?;
        let (sender, body) = Channel::<Bytes, io::Error>::new(PIECES);
        tokio::spawn(send(tokio::fs::File::from_std(file), sender));
        let digest = format!("sha-256=:{}:", BASE64_STANDARD.encode(sha256));
        let headers = [
            NO_STORE,
            (header::CONTENT_TYPE, SQLITE),
            (header::CONTENT_LENGTH, &length.to_string()),
            (header::HeaderName::from_static("repr-digest"), &digest),
        ];
        Ok((headers, Body::new(body)).into_response())
    })
    .await
}

/// A client that hangs up ends it; a file that cannot be read on breaks the answer off.
async fn send(mut file: tokio::fs::File, mut sender: Sender<Bytes, io::Error>) {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).await {
            Ok(0) => return,
            Ok(read) => {
                if sender.send_data(Bytes::copy_from_slice(&piece[..read])).await.is_err() {
                    return;
                }
            }
            Err(error) => return sender.abort(error),
        }
    }
}
