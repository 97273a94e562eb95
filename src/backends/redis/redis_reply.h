// What replies say, and what is asked of every server that one talks to. For the sources of this
// folder only: it shows hiredis.
// Thread: values.
#pragma once

#include <hiredis/hiredis.h>

#include <string>
#include <string_view>

#include "backends/redis/redis_connection.h"
#include "backends/redis/redis_url.h"
#include "base/time.h"

namespace lattice::backends {

// For a connection to open, and for an answer.
constexpr Duration redis_patience = std::chrono::seconds(2);

// Empty for what is not text.
inline std::string_view text_of(const redisReply& reply) {
  const bool text = reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS ||
                    reply.type == REDIS_REPLY_ERROR;
  return text ? std::string_view(reply.str, static_cast<size_t>(reply.len)) : std::string_view();
}

inline bool is_error(const redisReply& reply) { return reply.type == REDIS_REPLY_ERROR; }

// An element of an array, as text.
inline std::string_view element_text(const redisReply& reply, size_t i) {
  const bool there = reply.type == REDIS_REPLY_ARRAY && i < reply.elements;
  return there ? text_of(*reply.element[i]) : std::string_view();
}

// "WRONGPASS" of "WRONGPASS invalid username-password pair": the rest of a refusal can repeat what
// was refused, a password for example.
inline std::string error_code(const redisReply& reply) {
  const std::string_view text = text_of(reply);
  size_t size = 0;
  while (size < text.size() && size < 32 && text[size] >= 'A' && text[size] <= 'Z') ++size;
  return std::string(text.substr(0, size));
}

inline bool send_login(RedisConnection& connection, const RedisLogin& login) {
  // A server before Redis 6 knows the short form only.
  return login.user.empty() ? connection.send({"AUTH", login.password})
                            : connection.send({"AUTH", login.user, login.password});
}

}  // namespace lattice::backends
