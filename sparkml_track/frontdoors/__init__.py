"""Front doors: foreign interfaces served by the same engine.

hyperopt             ``SparkTrials`` and ``fmin``
_hyperopt            what is behind it
groups               ``train_groups`` and ``predict_groups``: a model for each group of a data frame
_groups              the parts of that
gangs                ``distribute``: one function as several processes at one time, as distributed training needs them
_gang_call           what calls it in each of them
joblib               the backend "sparkml" of ``joblib.parallel_config``
_joblib              what is behind it
sklearn              ``SparkSearchCV`` for estimators of scikit-learn
_sklearn             what is behind it
sparkml              ``tune`` for estimators and pipelines of pyspark.ml
_sparkml_params      a space whose keys are params, by names that are recorded
_sparkml_split       the folds or the validation part, computed once
_sparkml_objective   what fits and evaluates, in a thread of the driver
optuna               ``optimize`` for studies of Optuna, and ``MlflowSparkStudy``
_optuna              what it is made of
"""

from __future__ import annotations
