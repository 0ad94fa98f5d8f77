#include "train/staging/page_predictor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/errors.h"
#include "graph/types.h"

namespace kith {

double PredictorMetrics::recall() const {
  if (seen.empty()) return 0;
  const auto found =
      std::count_if(seen.begin(), seen.end(), [&](PageId delta) { return predicted.contains(delta); });
  return static_cast<double>(found) / static_cast<double>(seen.size());
}

PagePredictor::PagePredictor(Backend& backend, PageId num_pages, const PredictorOptions& options)
    : backend_(backend), num_pages_(num_pages), options_(options), random_(options.seed) {
  KITH_CHECK(options.max_tokens > 1 && options.num_contexts > 0 && options.units > 0 && options.top_k > 0 &&
                 options.vocabulary_accesses > 1 && options.sequence_length > 0 && options.num_sequences > 0,
             InvalidArgument, "PagePredictor: every size must be positive");
}

void PagePredictor::fix_vocabulary() {
  vocabulary_ = DeltaVocabulary(first_deltas_, options_.max_tokens);
  const LstmShape shape{.num_tokens = vocabulary_.size(),
                        .num_contexts = options_.num_contexts,
                        .units = options_.units,
                        .seed = options_.seed};
  serving_ = std::make_unique<LstmNetwork>(backend_, shape);
  training_ = std::make_unique<LstmNetwork>(backend_, shape);
  optimizer_ = std::make_unique<Adam>(backend_, training_->parameters(), AdamOptions{.lr = options_.lr});
  state_ = serving_->zero_state(1);
  for (const PageId delta : first_deltas_) tokens_.push_back(vocabulary_.token(delta));
  first_deltas_.clear();
}

void PagePredictor::observe(std::span<const PageId> pages, std::int32_t context) {
  if (pages.empty()) return;
  std::vector<std::int32_t> fresh;
  const std::lock_guard lock(mutex_);
  for (const PageId page : pages) {
    if (last_page_ >= 0) {
      contexts_.push_back(context);
      if (is_ready()) {
        const PageId delta = page - last_page_;
        fresh.push_back(vocabulary_.token(delta));
        tokens_.push_back(fresh.back());
        metrics_.seen.insert(delta);
      } else {
        first_deltas_.push_back(page - last_page_);
      }
    }
    last_page_ = page;
  }
  if (!fresh.empty()) advance(fresh, context);
  if (!is_ready() && static_cast<std::int64_t>(first_deltas_.size()) >= options_.vocabulary_accesses) {
    fix_vocabulary();
  }
  if (!is_ready()) return;
  while (tokens_.size() > options_.max_history) {
    tokens_.pop_front();
    contexts_.pop_front();
  }
}

void PagePredictor::advance(std::span<const std::int32_t> tokens, std::int32_t context) {
  const std::vector<std::int32_t> contexts(tokens.size(), context);
  const Tensor logits = serving_->forward({.num_sequences = 1, .tokens = tokens, .contexts = contexts}, state_);
  std::vector<double> values(static_cast<std::size_t>(logits.size()));
  backend_.download(logits, values);
  const auto width = static_cast<std::size_t>(logits.cols());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::int32_t token = tokens[i];
    ++metrics_.steps;
    if (token != DeltaVocabulary::kRest) {
      const bool is_hit =
          std::any_of(next_.begin(), next_.end(), [&](const Guess& guess) { return guess.token == token; });
      metrics_.hits += is_hit ? 1 : 0;
      metrics_.frequent_hits += token <= options_.top_k ? 1 : 0;  // tokens are numbered by frequency
    }
    next_ = top_of(std::span(values).subspan(i * width, width));
    for (const Guess& guess : next_) metrics_.predicted.insert(vocabulary_.delta(guess.token));
  }
}

std::vector<PagePredictor::Guess> PagePredictor::top_of(std::span<const double> logits) const {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  std::vector<Guess> guesses(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    guesses[i] = {.token = static_cast<std::int32_t>(i), .probability = std::exp(logits[i] - largest)};
    sum += guesses[i].probability;
  }
  guesses.erase(guesses.begin());  // the rest names no page
  const std::size_t count = std::min(guesses.size(), static_cast<std::size_t>(options_.top_k));
  std::partial_sort(guesses.begin(), guesses.begin() + static_cast<std::ptrdiff_t>(count), guesses.end(),
                    [](const Guess& a, const Guess& b) {
                      return a.probability != b.probability ? a.probability > b.probability : a.token < b.token;
                    });
  guesses.resize(count);
  for (Guess& guess : guesses) guess.probability /= sum;
  return guesses;
}

PagePredictor::Sample PagePredictor::draw_sample() {
  const auto length = static_cast<std::size_t>(options_.sequence_length);
  const auto n = static_cast<std::size_t>(options_.num_sequences);
  const std::lock_guard lock(mutex_);
  Sample sample;
  const std::size_t num_starts = tokens_.size() > length ? tokens_.size() - length : 1;
  const std::size_t steps = std::min(length, tokens_.size() - 1);
  sample.tokens.resize(n * steps);
  sample.contexts.resize(n * steps);
  sample.targets.resize(n * steps);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t start = static_cast<std::size_t>(random_() % num_starts);
    for (std::size_t t = 0; t < steps; ++t) {
      const std::int32_t target = tokens_[start + t + 1];
      sample.tokens[t * n + i] = tokens_[start + t];
      sample.contexts[t * n + i] = contexts_[start + t];
      sample.targets[t * n + i] = target == DeltaVocabulary::kRest ? kNoLabel : target;
    }
  }
  return sample;
}

double PagePredictor::train(std::int32_t steps) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_ready() || tokens_.size() < 2) return 0;
  }
  std::vector<Tensor*> gradients;
  for (Parameter* parameter : training_->parameters()) gradients.push_back(&parameter->gradient);
  double loss = 0;
  for (std::int32_t step = 0; step < steps; ++step) {
    const Sample sample = draw_sample();
    const LossResult result = training_->compute_gradients(
        {.num_sequences = options_.num_sequences, .tokens = sample.tokens, .contexts = sample.contexts},
        sample.targets);
    if (result.counted == 0) continue;
    backend_.clip_gradients(gradients, options_.max_gradient_norm);
    optimizer_->step();
    loss = result.loss / static_cast<double>(result.counted);
  }
  const std::lock_guard lock(mutex_);
  serving_->copy_parameters_from(*training_);
  return loss;
}

std::vector<PageId> PagePredictor::predict(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  std::vector<PageId> pages;
  if (!is_ready() || last_page_ < 0) return pages;
  const std::int32_t context = contexts_.empty() ? 0 : contexts_.back();
  LstmState state = serving_->clone(state_);
  std::vector<Guess> guesses = next_;
  PageId page = last_page_;
  double confidence = 1;
  // The way ahead may come back to pages that are in already: a few steps more than pages are asked for.
  for (std::size_t step = 0; step < 2 * count + 8 && pages.size() < count; ++step) {
    const Guess* best = nullptr;
    for (const Guess& guess : guesses) {
      const PageId target = page + vocabulary_.delta(guess.token);
      if (target < 0 || target >= num_pages_) continue;
      if (best == nullptr) best = &guess;
      if (confidence * guess.probability < options_.min_confidence) break;
      const bool is_new = std::find(pages.begin(), pages.end(), target) == pages.end();
      if (is_new && pages.size() < count) pages.push_back(target);
    }
    if (best == nullptr) break;
    confidence *= best->probability;
    if (confidence < options_.min_confidence) break;
    page += vocabulary_.delta(best->token);
    const std::vector<std::int32_t> token{best->token}, contexts{context};
    const Tensor logits = serving_->forward({.num_sequences = 1, .tokens = token, .contexts = contexts}, state);
    std::vector<double> values(static_cast<std::size_t>(logits.size()));
    backend_.download(logits, values);
    guesses = top_of(values);
  }
  return pages;
}

}  // namespace kith
