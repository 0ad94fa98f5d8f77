#include "train/staging/learned.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <vector>

#include "graph/errors.h"
#include "train/staging/lru.h"

namespace kith {
namespace {

/// Of this thread; wall-clock time would count what other threads do to it.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Share of the pages staged ahead that were asked for before they left; the latest ones count most.
class Usefulness {
 public:
  double share() const { return (useful_ + 1) / (useful_ + wasted_ + 2); }
  void add_useful() { add(useful_); }
  void add_wasted() { add(wasted_); }

 private:
  static constexpr double kMemory = 256;  ///< pages, after which what was counted before weighs half

  void add(double& count) {
    count += 1;
    if (useful_ + wasted_ < kMemory) return;
    useful_ /= 2;
    wasted_ /= 2;
  }

  double useful_ = 0, wasted_ = 0;
};

}  // namespace

struct LearnedReplacement::Impl {
  Lru cache;
  PagePredictor predictor;
  LearnedOptions options;
  std::vector<bool> is_ahead;  ///< [num_pages] staged ahead and not asked for yet
  Usefulness usefulness;
  double seconds = 0;

  std::int32_t bucket(std::int32_t community) const {
    const std::int64_t bucket = static_cast<std::int64_t>(community) * options.predictor.num_contexts /
                                std::max(options.num_communities, 1);
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(bucket, 0, options.predictor.num_contexts - 1));
  }

  std::size_t ahead_budget() const {
    const double most = options.max_ahead_share * static_cast<double>(cache.capacity());
    return static_cast<std::size_t>(std::max(1.0, std::floor(most * usefulness.share())));
  }

  void settle(const Request& request, const Changes& changes) {
    for (const Item item : request.items) {
      if (!is_ahead[item]) continue;
      is_ahead[item] = false;
      usefulness.add_useful();
    }
    for (const Item item : changes.evicted) {
      if (!is_ahead[item]) continue;
      is_ahead[item] = false;
      usefulness.add_wasted();
    }
  }
};

LearnedReplacement::LearnedReplacement(Backend& backend, PageId num_pages, std::int64_t capacity,
                                       const LearnedOptions& options)
    : impl_(new Impl{.cache = Lru(num_pages, capacity),
                     .predictor = PagePredictor(backend, num_pages, options.predictor),
                     .options = options,
                     .is_ahead = std::vector<bool>(static_cast<std::size_t>(num_pages)),
                     .usefulness = {}}) {
  KITH_CHECK(options.max_ahead_share >= 0 && options.max_ahead_share <= 1, InvalidArgument,
             "staging: the share of the cache staged ahead must be in [0, 1], got ", options.max_ahead_share);
}

LearnedReplacement::~LearnedReplacement() = default;

void LearnedReplacement::serve(const Request& request, Changes& changes) {
  impl_->cache.serve(request, changes);
  impl_->settle(request, changes);
  const double start = processor_seconds();
  impl_->predictor.observe(request.items, impl_->bucket(request.context));
  if (impl_->options.training_steps > 0) impl_->predictor.train(impl_->options.training_steps);
  const std::vector<PageId> ahead = impl_->predictor.predict(impl_->ahead_budget());
  impl_->seconds += processor_seconds() - start;
  const std::size_t num_evicted = changes.evicted.size();
  impl_->cache.take_ahead(ahead, changes);
  for (const Item item : changes.ahead) impl_->is_ahead[item] = true;
  for (std::size_t i = num_evicted; i < changes.evicted.size(); ++i) {
    if (!impl_->is_ahead[changes.evicted[i]]) continue;
    impl_->is_ahead[changes.evicted[i]] = false;
    impl_->usefulness.add_wasted();
  }
}

bool LearnedReplacement::holds(Item item) const { return impl_->cache.holds(item); }
PagePredictor& LearnedReplacement::predictor() { return impl_->predictor; }
double LearnedReplacement::seconds() const { return impl_->seconds; }

}  // namespace kith
