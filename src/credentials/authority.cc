#include "credentials/authority.h"

#include <algorithm>
#include <utility>

#include "credentials/api_tokens.h"

namespace lattice::credentials {
namespace {

// Between the clocks of nodes.
constexpr int64_t clock_slack_seconds = 60;

std::string nobodys_hash(int cost) {
  std::string hash = "$2a$";
  hash.append(1, static_cast<char>('0' + cost / 10)).append(1, static_cast<char>('0' + cost % 10));
  return hash + "$" + std::string(53, '.');
}

}  // namespace

auth::CallerRef Authority::use_known(Known& known, int64_t now) const {
  if (now >= known.expires_seconds) return invalid_;
  if (tokens_->slides()) {
    known.expires_seconds = std::max(known.expires_seconds, now + known.lifetime_seconds);
  }
  return known.caller;
}

Authority::Known* Authority::find(std::string_view token) {
  if (const auto at = young_.find(token); at != young_.end()) return &at->second;
  const auto at = old_.find(token);
  if (at == old_.end()) return nullptr;
  Known known = std::move(at->second);
  old_.erase(at);
  return &remember(token, std::move(known));
}

Authority::Known& Authority::remember(std::string_view token, Known known) {
  if (young_.size() >= tokens_max / 2) old_ = std::exchange(young_, {});
  return young_.insert_or_assign(std::string(token), std::move(known)).first->second;
}

auth::CallerRef Authority::identify(std::string_view token, bool any_realm) {
  constexpr std::string_view bearer = "Bearer ";
  if (token.starts_with(bearer)) token.remove_prefix(bearer.size());
  if (looks_like_api_token(token)) return identify_machine(token);
  if (tokens_ == nullptr || token.empty() || token.size() > token_bytes_max) return invalid_;
  const int64_t now = clock_();
  Known* known = find(token);
  if (known == nullptr) {
    std::optional<Tokens::Verified> verified = tokens_->verify(token);
    if (!verified) return invalid_;
    const int64_t slack = tokens_->slides() ? clock_slack_seconds : 0;
    if (verified->issued_seconds > now + slack || now >= verified->expires_seconds) {
      return invalid_;
    }
    const int64_t lifetime = verified->expires_seconds - verified->issued_seconds;
    known = &remember(token, {std::make_shared<const auth::Caller>(std::move(verified->caller)),
                              verified->expires_seconds, lifetime});
  }
  auth::CallerRef caller = use_known(*known, now);
  if (caller->realm.empty() && !any_realm) return invalid_;
  return caller;
}

// Nothing is remembered: anybody can send what looks like one, and hashing it costs less than
// finding it in a cache that such callers may fill.
auth::CallerRef Authority::identify_machine(std::string_view token) const {
  auto caller = std::make_shared<auth::Caller>();
  caller->kind = auth::Caller::Kind::api_token;
  caller->token_hash = api_token_hash(token);
  caller->seen_seconds = clock_();
  return caller;
}

Result<std::string> Authority::issue(const TokenClaims& claims) const {
  if (tokens_ == nullptr) return Error::internal;
  return tokens_->issue(claims, clock_());
}

void Authority::hash(std::string password, Callback<std::string> done) {
  struct Job {
    std::string password;
    Callback<std::string> done;
    Result<std::string> result = Error::internal;
  };
  auto job = std::make_shared<Job>(Job{std::move(password), std::move(done)});
  const bool runs =
      run_aside_([job, cost = bcrypt_cost_] { job->result = hash_password(job->password, cost); },
                 [job] { job->done(std::move(job->result)); });
  if (!runs) job->done(Status(Error::too_many_requests));
}

void Authority::check(std::string password, std::string hash, Callback<bool> done) {
  struct Job {
    std::string password;
    std::string hash;
    Callback<bool> done;
    bool right = false;
  };
  const bool nobody = hash.empty();
  if (nobody) hash = nobodys_hash(bcrypt_cost_);
  auto job = std::make_shared<Job>(Job{std::move(password), std::move(hash), std::move(done)});
  // A hash may be dearer than ours: the cost was another one, or a client made it.
  const int cost_max = std::max(bcrypt_cost_, bcrypt_cost_default) + 2;
  const bool runs = run_aside_(
      [job, nobody, cost_max] {
        job->right = check_password(job->password, job->hash, cost_max) && !nobody;
      },
      [job] { job->done(job->right); });
  if (!runs) job->done(Status(Error::too_many_requests));
}

}  // namespace lattice::credentials
